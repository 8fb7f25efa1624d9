//! Reads a server's answer to INFO. Pure.

use crate::printable::printable;
use crate::redis::wire::field;

/// The product, and its own version.
pub(super) fn product(info: &str) -> (&'static str, Option<&str>) {
    let named = [
        ("Valkey", "valkey_version"),
        ("Dragonfly", "dragonfly_version"),
        ("Kvrocks", "kvrocks_version"),
    ];
    let own =
        named.into_iter().find_map(|(product, name)| Some((product, Some(field(info, name)?))));
    own.unwrap_or(("Redis", field(info, "redis_version")))
}

/// Warnings from an INFO text.
pub(super) fn notes(info: &str, in_cluster: bool) -> Vec<String> {
    let mut notes = Vec::new();
    match field(info, "cluster_enabled") {
        Some("1") if !in_cluster => {
            notes.push(
                "this server is part of a Redis Cluster: set redis.mode = \"cluster\"".to_owned(),
            );
        }
        Some("0") if in_cluster => notes.push(
            "this server is no part of a cluster: set redis.mode = \"standalone\"".to_owned(),
        ),
        _ => {}
    }
    let bounded = field(info, "maxmemory").is_some_and(|max| max != "0");
    match field(info, "maxmemory_policy") {
        Some(policy) if bounded && policy.starts_with("allkeys-") => notes.push(format!(
            "maxmemory-policy is {}: when its memory is full, Redis will delete profiles; \
             noeviction is safe",
            printable(policy)
        )),
        _ => {}
    }
    let major = field(info, "redis_version")
        .and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major < 4) {
        notes.push(
            "HSET takes several fields only since Redis 4: this server is too old".to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_server_has_no_notes() {
        let info = "role:master\r\ncluster_enabled:0\r\nmaxmemory:0\r\n\
            maxmemory_policy:allkeys-lru\r\nredis_version:7.0.15\r\n";
        for info in [info, "maxmemory:1\r\nmaxmemory_policy:volatile-lru\r\n", ""] {
            assert!(notes(info, false).is_empty(), "{:?}", notes(info, false));
        }
    }

    #[test]
    fn each_trouble_has_a_note() {
        for (info, words) in [
            ("cluster_enabled:1\r\n", "Cluster"),
            ("maxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\n", "delete profiles"),
            ("redis_version:3.2.1\r\n", "too old"),
        ] {
            assert!(
                matches!(notes(info, false).as_slice(), [note] if note.contains(words)),
                "{info}"
            );
        }
    }

    #[test]
    fn servers_are_called_by_their_own_names() {
        let valkey = "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n";
        assert_eq!(product(valkey), ("Valkey", Some("9.1.2")));
        assert_eq!(product("redis_version:7.0.15\r\n"), ("Redis", Some("7.0.15")));
        assert_eq!(product(""), ("Redis", None));
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_read_or_left(info in any::<String>()) {
            let _ = (notes(&info, true), product(&info));
        }
    }
}
