//! What `[deletion]` comes to, and its exact errors.

use std::fs;

use secrecy::ExposeSecret;
use tempfile::TempDir;
use traitsink::config::Deletion;

use crate::config_profile::{DAY, config, refuse};

#[test]
fn a_deletion_has_its_defaults_where_any_key_is_set() {
    let deletion = |settings: &[&str]| config(settings).deletion.unwrap();
    let Deletion { api, event, tombstone_ttl, prefixes, suppressions_key, max_suppressed } =
        deletion(&["deletion.max_suppressed=7"]);
    assert!(api.is_none() && event.is_none() && prefixes.is_empty());
    assert_eq!((tombstone_ttl, max_suppressed), (DAY * 90, 7));
    assert_eq!(suppressions_key, "traitsink:suppressed");

    let with_prefix = deletion(&["redis.prefix= p ", "deletion.prefixes=[\" a b \", \"\"]"]);
    assert_eq!(with_prefix.suppressions_key, "p:traitsink:suppressed");
    assert_eq!(with_prefix.prefixes, ["a b", ""]);
    let chosen = deletion(&["redis.prefix={{event.a||b}}", "deletion.event= User Deleted "]);
    assert_eq!(chosen.suppressions_key, "b:traitsink:suppressed");
    assert_eq!(chosen.event.as_deref(), Some(" User Deleted "));
    let braces = deletion(&["deletion.suppressions_key={{s}}{prefix}", "redis.prefix=p"]);
    assert_eq!(braces.suppressions_key, "{s}p:");
    let kept = deletion(&["deletion.tombstone_ttl=1h", "profile.newest_wins=profile"]);
    assert_eq!(kept.tombstone_ttl, DAY / 24);

    let directory = TempDir::new().unwrap();
    let path = directory.path().join("token");
    fs::write(&path, "from+file=\n").unwrap();
    let from_file = format!("deletion.token_file={}", path.display());
    for (token, text, file) in
        [("deletion.token=typed", "typed", None), (&from_file, "from+file=", Some(path))]
    {
        let api = deletion(&["deletion.listen=0.0.0.0:8081", token]).api.unwrap();
        assert_eq!((api.token.expose_secret(), api.token_file), (text, file));
        assert_eq!(api.listen.to_string(), "0.0.0.0:8081");
    }
}

#[test]
fn a_deletion_that_cannot_work_is_refused() {
    refuse(&[
        (
            "deletion.listen=127.0.0.1:1",
            "deletion.listen (--set): needs deletion.token or deletion.token_file: without a token \
             anyone who reaches it could delete users",
        ),
        ("deletion.token=t", "deletion.token (--set): has no effect without deletion.listen"),
        (
            "deletion.token_file=/t",
            "deletion.token_file (--set): has no effect without deletion.listen",
        ),
        (
            "deletion.listen=127.0.0.1:1; deletion.token=a; deletion.token_file=/t",
            "deletion.token (--set): given beside deletion.token_file (--set): give one",
        ),
        (
            "deletion.listen=127.0.0.1:1; deletion.token=a b",
            "deletion.token (--set): is not one line of ASCII letters, digits and signs without a \
             space: no Authorization header could carry it",
        ),
        (
            "deletion.listen=127.0.0.1:1; deletion.token=k; http.write_keys=a,k",
            "deletion.token (--set): is one of the write keys, which anyone can read in a website: \
             make a token of its own",
        ),
        (
            "deletion.listen=127.0.0.1:9464; deletion.token=a",
            "admin.listen: 127.0.0.1:9464 is taken by deletion.listen (--set)",
        ),
        (
            "deletion.listen=127.0.0.1:8080; deletion.token=a",
            "deletion.listen (--set): 127.0.0.1:8080 is taken by http.listen",
        ),
        (
            "deletion.listen=8081",
            "deletion.listen (--set): \"8081\" is not an IP address and a port such as \
             \"127.0.0.1:8080\" or \"[::]:8080\"",
        ),
        (
            "profile.newest_wins=field; deletion.tombstone_ttl=0s",
            "deletion.tombstone_ttl (--set): must be at least 1ms",
        ),
        (
            "deletion.max_suppressed=0",
            "deletion.max_suppressed (--set): 0 is not a whole number from 1 to 1000000000",
        ),
        (
            "deletion.prefixes=[\"a\", \"{{event.a||b}}\"]",
            "deletion.prefixes[1] (--set): is chosen by events, and here there is none: write a \
             fixed prefix",
        ),
        (
            "deletion.suppressions_key={userId}",
            "deletion.suppressions_key (--set): {userId} is no variable here: known is {prefix}; \
             for a brace in the key write {{ or }}",
        ),
        (
            "deletion.suppressions_key=s}",
            "deletion.suppressions_key (--set): has a single \"}\": for a brace in the key write \
             }}",
        ),
        (
            "deletion.prefixes=[\"a\"]; redis.key=user:{userId}",
            "deletion.prefixes (--set): has no effect without {prefix} in redis.key",
        ),
    ]);
}
