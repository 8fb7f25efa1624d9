//! The `--connect` part of `check`: reaching everything that the configuration will use.

use std::collections::BTreeSet;
use std::process::ExitCode;

use crate::app::{self, StartError};
use crate::config::{Config, Http, OwnServer};
use crate::event::KeyRules;
use crate::exit::Exit;
use crate::local_servers::Local;
use crate::printable::escaped;
use crate::profile::Prefix;
use crate::redis::{Route, Survey, Surveyed, entity_pattern, key_pattern, one_key};

use super::exit;

/// A word and what was found, for people.
type Lines = Vec<(&'static str, String)>;

/// The lines about what was reached, and the errors about what was not.
type Told = (Lines, Vec<String>);

/// Reaches Redis and the brokers as `config` says, and writes nothing there. Says all that was
/// found, and all that is missing.
pub(super) fn connect(config: &Config) -> ExitCode {
    exit::in_runtime(async {
        let mut missing = Vec::new();
        let mut printed = ExitCode::SUCCESS;
        let mut tell = |(lines, errors): Told| {
            if !lines.is_empty() {
                let text: String = lines
                    .iter()
                    .map(|(what, text)| format!("{what:<13} {}\n", escaped(text)))
                    .collect();
                printed = exit::print(&format!("\n{text}"));
            }
            missing.extend(errors);
        };
        tell(redis(config).await?);
        #[cfg(feature = "kafka")]
        kafka::connect(config, &mut tell).await;
        if missing.is_empty() {
            return Ok(printed);
        }
        missing.iter().for_each(|what| exit::complain(&format!("traitsink: {}", escaped(what))));
        Ok(Exit::UNAVAILABLE.into())
    })
}

async fn redis(config: &Config) -> Result<Told, StartError> {
    match config.redis.mode.own_server() {
        Some(OwnServer::Embedded(_)) => {
            return Ok((vec![("redis", "embedded: nothing to reach".to_owned())], Vec::new()));
        }
        Some(OwnServer::Local(local)) => {
            return Ok(match Local::version(local).await {
                Ok(version) => {
                    (vec![("redis", format!("local, not started for this: {version}"))], Vec::new())
                }
                Err(error) => (Vec::new(), vec![error.to_string()]),
            });
        }
        None => {}
    }
    let route = Route::new(&config.redis, &app::forms(config))
        .map_err(|error| StartError { message: error.to_string(), code: Exit::CONFIG })?;
    let Survey { found, mut missing } = route.survey(config.redis.read_from_replicas).await;
    let denied = found.iter().filter(|node| node.report.prefix_denied && uses_redis_prefix(config));
    missing.extend(denied.map(|node| {
        let keys =
            "keys with redis.prefix (NOPERM); `minimal acl` above is the line that is needed";
        format!(
            "{}: a write would be refused now: the ACL user may not write {keys}",
            node.connector.node()
        )
    }));
    let mut lines: Lines = found.into_iter().flat_map(describe).collect();
    if !lines.is_empty() {
        lines.push(("minimal acl", acl(config, &route)));
    }
    Ok((lines, missing))
}

fn describe(Surveyed { connector, report, more }: Surveyed) -> Lines {
    let tls = match &report.tls {
        None => "none".to_owned(),
        Some(tls) if tls.verified => format!("{} {}, verified", tls.protocol, tls.cipher),
        Some(tls) => format!("{} {}, NOT verified", tls.protocol, tls.cipher),
    };
    let mut lines = vec![
        ("reached", connector.node().to_owned()),
        ("server", format!("{} {}, {}", report.product, report.version, report.role)),
        ("database", report.database.to_string()),
        ("eviction", report.eviction_policy),
        ("tls", tls),
    ];
    lines.extend(more);
    lines.extend(report.notes.into_iter().map(|note| ("note", note)));
    lines
}

/// Whether any event is written to keys with `redis.prefix`: write keys may have prefixes of their
/// own.
fn uses_redis_prefix(config: &Config) -> bool {
    let by_http = |http: &Http| {
        http.write_keys.is_empty() || http.write_keys.iter().any(|key| key.prefix.is_none())
    };
    config.kafka.is_some() || config.http.as_ref().is_none_or(by_http)
}

fn acl(config: &Config, route: &Route) -> String {
    let own_prefixes = config
        .http
        .iter()
        .flat_map(|http| &http.write_keys)
        .filter_map(|key| key.prefix_rule.as_ref());
    let deletion = config.deletion.as_ref();
    let deleted: Vec<Prefix> = deletion
        .iter()
        .flat_map(|deletion| deletion.prefixes.iter().cloned().map(Prefix::Fixed))
        .collect();
    let prefixes = std::iter::once(&config.redis.prefix_rule).chain(own_prefixes).chain(&deleted);
    let mut keys = written_keys(&config.rules.keys, prefixes);
    keys.extend(config.rules.entities.as_ref().map(entity_pattern));
    keys.extend(deletion.map(|deletion| one_key(&deletion.suppressions_key)));
    let username = config.redis.username.as_deref().unwrap_or("traitsink");
    let (durability, reads) = (config.redis.durability, config.admin.profile_lookup);
    route.minimal_acl(username, &keys, durability, reads, deletion.is_some())
}

/// The patterns of all keys that events with these prefixes may have, each once. An event that
/// chooses its prefix may choose any, or none.
fn written_keys<'a>(rules: &KeyRules, prefixes: impl Iterator<Item = &'a Prefix>) -> Vec<String> {
    let mut named = BTreeSet::new();
    for prefix in prefixes {
        if prefix.path().is_some() {
            named.extend([None, Some(String::new())]);
        }
        named.insert(Some(prefix.default_text().to_owned()));
    }
    let templates = || std::iter::once(&rules.user).chain(&rules.group);
    let mut keys: Vec<String> = templates()
        .flat_map(|template| named.iter().map(|prefix| key_pattern(template, prefix.as_deref())))
        .collect();
    keys.dedup();
    keys
}

#[cfg(feature = "kafka")]
mod kafka {
    use crate::config::{Config, DeadLetter};
    use crate::kafka::{BrokerReport, ProbeError, probe_consumer, probe_producer};

    use super::Told;

    /// Tells of the source's brokers and of those of the dead letters, each if there are any.
    pub(super) async fn connect(config: &Config, tell: &mut impl FnMut(Told)) {
        if let Some(kafka) = config.kafka.clone() {
            tell(
                found("kafka", move || {
                    probe_consumer(&kafka.client, &kafka.topics, &kafka.group_id)
                })
                .await,
            );
        }
        if let DeadLetter::Kafka { client, topic } = config.dead_letter.clone() {
            tell(found("dead letters", move || probe_producer(&client, &topic)).await);
        }
    }

    /// The result of a probe; each missing thing begins with the name of the part.
    async fn found(
        part: &'static str,
        probe: impl FnOnce() -> Result<BrokerReport, ProbeError> + Send + 'static,
    ) -> Told {
        let report = tokio::task::spawn_blocking(probe).await.expect("a probe does not panic");
        let missing = match report {
            Ok(report) if report.missing.is_empty() => {
                let notes = report.notes.into_iter().map(|note| ("note", note));
                return (report.lines.into_iter().chain(notes).collect(), Vec::new());
            }
            Ok(report) => report.missing,
            Err(error) => vec![error.to_string()],
        };
        (Vec::new(), missing.into_iter().map(|what| format!("{part}: {what}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{KeyTemplate, KeyedBy};

    #[test]
    fn all_keys_that_may_be_written_have_a_pattern() {
        let template = |text, by| KeyTemplate::parse(text, by).unwrap();
        let group = template("{prefix}group:{groupId}", KeyedBy::Group);
        let fixed = template("user:{{{userId}}}", KeyedBy::User);
        let users = KeyRules::default();
        let with_groups = KeyRules { group: Some(group), ..KeyRules::default() };
        let without_prefix = KeyRules { user: fixed, group: None };
        let fixed_prefix = |text: &str| Prefix::Fixed(text.to_owned());
        let [none, a, b, p] = ["", "a", "b", "p"].map(fixed_prefix);
        let dynamic = Prefix::again("def", Some("traits.tenant"));
        for (rules, prefixes, keys) in [
            (&users, &[&none][..], &["user:*"][..]),
            (&users, &[&b, &none, &a, &b], &["user:*", "a:user:*", "b:user:*"]),
            (&users, &[&dynamic], &["*:user:*", "user:*", "def:user:*"]),
            (&with_groups, &[&p], &["p:user:*", "p:group:*"]),
            (&without_prefix, &[&none, &dynamic], &["user:{*}"]),
        ] {
            assert_eq!(written_keys(rules, prefixes.iter().copied()), keys);
        }
    }
}
