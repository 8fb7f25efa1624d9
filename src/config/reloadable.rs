//! Which keys can be changed while the worker runs. Pure.

use super::engine::effective_keys::ChangedKey;

/// Keys whose new value is used without a restart.
const RELOADABLE: &[&str] = &[
    "deletion.token",
    "deletion.token_file",
    "http.sources",
    "http.sources[].name",
    "http.sources[].prefix",
    "http.sources[].write_key",
    "http.sources[].write_key_file",
    "http.write_keys",
    "http.write_keys_file",
    "log.level",
    "redis.nodes[].password",
    "redis.nodes[].password_file",
    "redis.password",
    "redis.password_command",
    "redis.password_file",
    "redis.replicas.nodes[].password",
    "redis.replicas.nodes[].password_file",
    "redis.sentinel.nodes[].password",
    "redis.sentinel.nodes[].password_file",
    "redis.sentinel.password",
    "redis.sentinel.password_file",
    "redis.sentinel.tls.ca_file",
    "redis.sentinel.tls.ca_pem",
    "redis.sentinel.tls.cert_file",
    "redis.sentinel.tls.key_file",
    "redis.tls.ca_file",
    "redis.tls.ca_pem",
    "redis.tls.cert_file",
    "redis.tls.key_file",
];

/// URLs of which only the password can be changed.
const RELOADABLE_PASSWORD: &[&str] =
    &["redis.nodes[].url", "redis.replicas.nodes[].url", "redis.sentinel.nodes[].url", "redis.url"];

/// Whether a reload takes over any new value of `key`, written as `http.sources[].prefix`.
pub(crate) fn is_reloadable(key: &str) -> bool {
    RELOADABLE.contains(&key)
}

impl ChangedKey {
    /// Whether the change can be taken over while the worker runs.
    pub fn is_reloadable(&self) -> bool {
        let key = without_numbers(&self.key);
        is_reloadable(&key) || self.only_content && RELOADABLE_PASSWORD.contains(&key.as_str())
    }
}

/// `http.sources[0].prefix` as `http.sources[].prefix`.
fn without_numbers(key: &str) -> String {
    let mut parts = key.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        format!("{text}[{}", part.trim_start_matches(|c: char| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sections::raw::key_kinds;
    use crate::config::{ConfigArgs, EffectiveKeys, load};

    #[test]
    fn every_key_exists() {
        let mut known = Vec::new();
        key_kinds().paths("", &mut known);
        for key in RELOADABLE.iter().chain(RELOADABLE_PASSWORD) {
            assert!(known.iter().any(|path| path == key), "{key} of {known:?}");
        }
    }

    fn keys(set: &[&str]) -> EffectiveKeys {
        let set = set.iter().map(|&one| one.to_owned()).chain(["data_dir=/d".to_owned()]).collect();
        load(&ConfigArgs { set, ..ConfigArgs::default() }).unwrap().keys()
    }

    /// The keys that changed, with a mark at those that need a restart.
    fn changes(before: &[&str], after: &[&str]) -> Vec<String> {
        let changes = keys(before).changes(&keys(after));
        let marked = |change: ChangedKey| {
            format!("{}{}", change.key, if change.is_reloadable() { "" } else { "!" })
        };
        changes.into_iter().map(marked).collect()
    }

    #[test]
    fn changes_are_named_and_only_some_can_be_taken_over() {
        const SASL: &[&str] = &[
            "kafka.sasl.mechanism=PLAIN",
            "kafka.sasl.username=u",
            "kafka.librdkafka.ssl.key.password=a",
        ];
        let sasl = |password| [SASL, &[password]].concat();
        for (before, after, changed) in [
            (&["log.level=info"][..], &[][..], &[][..]),
            (&["log.level=debug"], &[], &["log.level"]),
            (&["redis.url=redis://h"], &["redis.url=redis://h:6379/0"], &["redis.url"]),
            (&["redis.url=redis://:a@h"], &["redis.url=redis://:b@h"], &["redis.url"]),
            (&["redis.url=redis://:a@h"], &["redis.url=redis://h"], &["redis.url"]),
            (&["redis.url=redis://h"], &["redis.url=redis://g"], &["redis.host!", "redis.url!"]),
            (
                &["redis.url=redis://u:a@h"],
                &["redis.url=redis://v:a@h"],
                &["redis.url!", "redis.username!"],
            ),
            (&["redis.password=a"], &["redis.password=b"], &["redis.password"]),
            (&["redis.prefix=a"], &[], &["redis.prefix!"]),
            (&["http.write_keys=[\"a\"]"], &["http.write_keys=[\"b\"]"], &["http.write_keys"]),
            (
                &["http.sources=[{write_key=\"a\"}]"],
                &["http.sources=[{write_key=\"a\",prefix=\"p\"}]"],
                &["http.sources[0].prefix"],
            ),
            (
                &[],
                &["http.sources=[{write_key=\"a\"}]"],
                &["http.sources", "http.sources[0].write_key"],
            ),
            (&["reload.watch=true"], &[], &["reload.watch!"]),
            (&["profile.nulls=delete"], &[], &["profile.nulls!"]),
            (
                &["profile.newest_wins=field"],
                &["profile.newest_wins=field", "profile.max_ahead=1m"],
                &["profile.max_ahead!"],
            ),
            (
                &["profile.field_ttl=[{match=\"a\",ttl=\"1d\"}]"],
                &["profile.field_ttl=[{match=\"a\",ttl=\"2d\"}]"],
                &["profile.field_ttl[0].ttl!"],
            ),
            (&["redis.key=a:{userId}"], &["redis.key=b:{userId}"], &["redis.key!"]),
            (
                &["http.sources=[{write_key=\"a\"}]"],
                &["http.sources=[{write_key=\"a\",gateway=true}]"],
                &["http.sources[0].gateway!"],
            ),
            (
                &["deletion.listen=127.0.0.1:1", "deletion.token=a"],
                &["deletion.listen=127.0.0.1:1", "deletion.token=b"],
                &["deletion.token"],
            ),
            (&sasl("kafka.sasl.password=a"), &sasl("kafka.sasl.password=a"), &[]),
            (
                &sasl("kafka.sasl.password=a"),
                &sasl("kafka.sasl.password=b"),
                &["kafka.sasl.password!"],
            ),
        ] {
            assert_eq!(changes(before, after), changed, "{before:?} {after:?}");
        }
    }

    #[test]
    fn nodes_may_change_their_passwords_alone() {
        let nodes =
            |nodes: &str| ["redis.mode=cluster".to_owned(), format!("redis.nodes=[{nodes}]")];
        let changes = |before: &str, after: &str| {
            let (before, after) = (nodes(before), nodes(after));
            changes(&before.each_ref().map(|one| &**one), &after.each_ref().map(|one| &**one))
        };
        let host = |password: &str| format!("{{host=\"a\",password=\"{password}\"}},\"b:1\"");
        assert_eq!(changes(&host("x"), &host("y")), ["redis.nodes[0].password"]);
        let url = |password: &str| format!("{{url=\"redis://:{password}@a:1\"}}");
        assert_eq!(changes(&url("x"), &url("y")), ["redis.nodes[0].url"]);
        assert_eq!(changes("\"a:1\",\"b:1\"", "\"a:1\",\"c:1\""), ["redis.nodes!"]);
    }

    #[test]
    fn files_are_compared_by_their_content() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one").unwrap();
        let set = [format!("redis.password_file={}", file.path().display())];
        let before = keys(&set.each_ref().map(|one| &**one));
        std::fs::write(file.path(), "two").unwrap();
        let changes = before.changes(&keys(&set.each_ref().map(|one| &**one)));
        let key = "redis.password_file".to_owned();
        assert_eq!(changes, [ChangedKey { key, only_content: true }]);
        assert!(!format!("{before:?}").contains("two"));
    }

    #[test]
    fn of_a_url_only_the_password_may_change() {
        let change = |key: &str, only_content| {
            ChangedKey { key: key.to_owned(), only_content }.is_reloadable()
        };
        assert!(change("redis.url", true) && !change("redis.url", false));
        assert!(change("http.sources[12].prefix", false));
        assert!(!change("kafka.sasl.password", true) && !change("redis.nodes[1].host", false));
    }
}
