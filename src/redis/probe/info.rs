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

/// Warnings from an INFO text; `policy` is the eviction policy, and `keys_end` whether keys are
/// given an end.
pub(super) fn notes(
    info: &str,
    policy: Option<&str>,
    in_cluster: bool,
    keys_end: bool,
) -> Vec<String> {
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
    notes.extend(policy.filter(|_| bounded).and_then(|policy| eviction(policy, keys_end)));
    let major = field(info, "redis_version")
        .and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major < 4) {
        notes.push(
            "HSET takes several fields only since Redis 4: this server is too old".to_owned(),
        );
    }
    notes
}

/// What an eviction policy does to profiles when the server's memory is full.
fn eviction(policy: &str, keys_end: bool) -> Option<String> {
    let does = match policy {
        _ if policy.starts_with("allkeys-") => {
            "when its memory is full, Redis will delete profiles; noeviction is safe"
        }
        _ if !keys_end => return None,
        _ if policy.starts_with("volatile-") => {
            "when its memory is full, Redis will delete profiles before their TTL ends, since \
             profile.ttl makes every profile a key with a TTL; noeviction is safe"
        }
        "noeviction" => {
            "when its memory is full, Redis will refuse writes until profiles end: it keeps each \
             to the end of profile.ttl, so plan the memory for that time"
        }
        _ => return None,
    };
    Some(format!("maxmemory-policy is {}: {does}", printable(policy)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(info: &str, keys_end: bool) -> Vec<String> {
        notes(info, field(info, "maxmemory_policy"), false, keys_end)
    }

    #[test]
    fn a_plain_server_has_no_notes() {
        let info = "role:master\r\ncluster_enabled:0\r\nmaxmemory:0\r\n\
            maxmemory_policy:allkeys-lru\r\nredis_version:7.0.15\r\n";
        for info in [info, "maxmemory:1\r\nmaxmemory_policy:volatile-lru\r\n", ""] {
            let notes = of(info, false);
            assert!(notes.is_empty(), "{notes:?}");
        }
    }

    #[test]
    fn each_trouble_has_a_note() {
        for (info, keys_end, words) in [
            ("cluster_enabled:1\r\n", false, "Cluster"),
            ("maxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\n", false, "delete profiles"),
            ("maxmemory:1\r\nmaxmemory_policy:volatile-ttl\r\n", true, "before their TTL ends"),
            ("maxmemory:1\r\nmaxmemory_policy:noeviction\r\n", true, "refuse writes until"),
            ("redis_version:3.2.1\r\n", false, "too old"),
        ] {
            let notes = of(info, keys_end);
            assert!(matches!(&notes[..], [note] if note.contains(words)), "{info}: {notes:?}");
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
            let _ = (notes(&info, Some(&info), true, true), product(&info));
        }
    }
}
