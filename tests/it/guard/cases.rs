//! Single promises of the guard, each on every server.

use std::collections::{BTreeMap, BTreeSet};

use redis::{Value, from_redis_value};
use traitsink::redis::{Guard, GuardMode, GuardVerdict};

use super::model::{APPLIED, Deletion, Event, Expiry, REMOVED, STALE, Time};
use super::server::{Server, TIME_FIELD, VERSIONS, connect, load};
use super::{FIELD, HOUR, NOW, PROFILE, REPLACE};

const KEY: &str = "user:1";

fn event(time: Time, set: &[(&str, &str)]) -> Event {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Event {
        time: NOW + time,
        set: set.iter().map(owned).collect(),
        removed: Vec::new(),
        expiry: None,
        expiring: BTreeSet::new(),
        tombstone_ttl: 1_000 * HOUR,
    }
}

fn removal(time: Time, removed: &[&str]) -> Event {
    Event { removed: removed.iter().map(|name| (*name).to_owned()).collect(), ..event(time, &[]) }
}

fn deletion(time: Time) -> Deletion {
    Deletion { time: NOW + time, everything: false, tombstone_ttl: 2_000 * HOUR }
}

fn each_server(mut test: impl FnMut(&mut Server)) {
    for version in VERSIONS {
        println!("{version:?}");
        test(&mut Server::start(version));
    }
}

fn visible(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn code(reply: &Value) -> &str {
    match reply {
        Value::ServerError(error) => error.code(),
        other => panic!("no error: {other:?}"),
    }
}

#[test]
fn a_late_event_changes_only_fields_that_are_older() {
    each_server(|server| {
        let newest = event(30, &[("plan", "pro")]);
        for (event, meant) in [
            (event(10, &[("plan", "free"), ("city", "Oslo")]), APPLIED),
            (newest.clone(), APPLIED),
            (event(20, &[("plan", "trial"), ("city", "Bergen")]), APPLIED),
            (event(5, &[("plan", "old"), ("city", "Paris")]), STALE),
            // The later of the same time wins.
            (event(20, &[("city", "Trondheim")]), APPLIED),
            (newest, APPLIED),
        ] {
            assert_eq!(server.apply(FIELD, KEY, &event), Value::Int(meant), "{event:?}");
        }
        let stored = server.stored(KEY);
        assert_eq!(stored.visible, visible(&[("plan", "pro"), ("city", "Trondheim")]));
        assert_eq!(stored.ttl, None);
        assert_eq!(GuardVerdict::read(&Value::Int(STALE)), Some(GuardVerdict::Stale));
    });
}

#[test]
fn a_tombstone_holds_and_a_later_registration_lives_on() {
    each_server(|server| {
        for rule in [FIELD, PROFILE, REPLACE] {
            server.run(&["DEL", KEY]);
            let old = event(10, &[("plan", "pro")]);
            assert_eq!(server.apply(rule, KEY, &old), Value::Int(APPLIED));
            assert_eq!(server.delete(rule, KEY, deletion(20)), Value::Int(REMOVED));
            // A retry comes to the same.
            assert_eq!(server.delete(rule, KEY, deletion(20)), Value::Int(APPLIED));
            for late in [&old, &event(20, &[("plan", "tie")])] {
                assert_eq!(server.apply(rule, KEY, late), Value::Int(STALE));
            }
            let stored = server.stored(KEY);
            assert_eq!((stored.visible, stored.ttl), (visible(&[]), Some(2_000)));
            let again = event(21, &[("plan", "free")]);
            assert_eq!(server.apply(rule, KEY, &again), Value::Int(APPLIED));
            let stored = server.stored(KEY);
            assert_eq!((stored.visible, stored.ttl), (visible(&[("plan", "free")]), None));
            assert_eq!(server.apply(rule, KEY, &old), Value::Int(STALE));
            assert_eq!(server.delete(rule, KEY, deletion(19)), Value::Int(STALE));

            // The tombstone's TTL is none of the profile's, not even with `once`.
            assert_eq!(server.delete(rule, KEY, deletion(30)), Value::Int(REMOVED));
            let expiry = Some(Expiry { ttl: 3 * HOUR, is_moment: false, once: true });
            let again = Event { expiry, ..event(40, &[("plan", "free")]) };
            assert_eq!(server.apply(rule, KEY, &again), Value::Int(APPLIED));
            assert_eq!(server.stored(KEY).ttl, Some(3));

            // The API deletes what a clock ahead wrote, too.
            let all = Deletion { everything: true, ..deletion(35) };
            assert_eq!(server.delete(rule, KEY, all), Value::Int(REMOVED));
            assert_eq!(server.apply(rule, KEY, &again), Value::Int(STALE));
            assert_eq!(server.stored(KEY).visible, visible(&[]));
        }
    });
}

#[test]
fn a_removed_field_stays_removed_for_older_events() {
    each_server(|server| {
        // The removal comes first, and is all there is.
        let gone = removal(20, &["plan"]);
        assert_eq!(server.apply(FIELD, KEY, &gone), Value::Int(APPLIED));
        assert_eq!(server.stored(KEY).ttl, Some(1_000));
        let old = event(10, &[("plan", "free"), ("city", "Oslo")]);
        assert_eq!(server.apply(FIELD, KEY, &old), Value::Int(APPLIED));
        let stored = server.stored(KEY);
        assert_eq!((stored.visible, stored.ttl), (visible(&[("city", "Oslo")]), None));
        let newer = event(20, &[("plan", "pro")]);
        assert_eq!(server.apply(FIELD, KEY, &newer), Value::Int(APPLIED));
        assert_eq!(server.stored(KEY).visible.len(), 2);
    });
}

#[test]
fn a_field_that_expired_stays_away_for_older_events() {
    each_server(|server| {
        if !server.has_field_ttl {
            return;
        }
        let mut with_ttl = event(20, &[("session", "1"), ("plan", "pro")]);
        with_ttl.expiring.insert("session".to_owned());
        assert_eq!(server.apply(FIELD, KEY, &with_ttl), Value::Int(APPLIED));
        assert_eq!(server.stored(KEY).expiring, BTreeSet::from(["session".to_owned()]));
        server.run(&["HPEXPIREAT", KEY, "1", "FIELDS", "1", "session"]);
        let old = event(10, &[("session", "0")]);
        assert_eq!(server.apply(FIELD, KEY, &old), Value::Int(STALE));
        assert_eq!(server.stored(KEY).visible, visible(&[("plan", "pro")]));
    });
}

#[test]
fn keys_of_other_types_are_left_alone() {
    let expiry = Some(Expiry { ttl: HOUR, is_moment: false, once: false });
    let event = Event { expiry, ..event(10, &[("a", "1")]) };
    each_server(|server| {
        server.run(&["SET", KEY, "text"]);
        for rule in [FIELD, PROFILE, REPLACE] {
            assert_eq!(code(&server.apply(rule, KEY, &event)), "WRONGTYPE");
            let removal = removal(10, &["a"]);
            assert_eq!(code(&server.apply(rule, KEY, &removal)), "WRONGTYPE");
            assert_eq!(code(&server.delete(rule, KEY, deletion(20))), "WRONGTYPE");
        }
        assert_eq!(server.run(&["GET", KEY]), Value::BulkString(b"text".to_vec()));
        assert_eq!(server.run(&["PTTL", KEY]), Value::Int(-1));
    });
}

#[test]
fn a_server_that_takes_no_writes_gives_no_verdict() {
    each_server(|server| {
        for rule in [FIELD, PROFILE] {
            server.run(&["FLUSHALL"]);
            assert_eq!(server.apply(rule, KEY, &event(10, &[("a", "1")])), Value::Int(APPLIED));
            let stale = event(5, &[("a", "0")]);
            server.run(&["CONFIG", "SET", "maxmemory", "1"]);
            assert_eq!(code(&server.apply(rule, KEY, &stale)), "OOM");
            // A deletion frees memory.
            assert_eq!(
                server.delete(rule, KEY, deletion(7)),
                Value::Int(match rule {
                    FIELD => APPLIED,
                    _ => STALE,
                })
            );
            assert_eq!(server.delete(rule, KEY, deletion(20)), Value::Int(REMOVED));
            server.run(&["CONFIG", "SET", "maxmemory", "0"]);
            server.run(&["REPLICAOF", "127.0.0.1", "1"]);
            assert_eq!(code(&server.apply(rule, KEY, &stale)), "READONLY");
            assert_eq!(code(&server.delete(rule, KEY, deletion(7))), "READONLY");
            server.run(&["REPLICAOF", "NO", "ONE"]);
        }
    });
}

#[test]
fn profiles_of_any_size_are_guarded() {
    each_server(|server| {
        let values = |value: &str| -> Vec<(String, String)> {
            (0..20_000).map(|field| (format!("field{field}"), value.to_owned())).collect()
        };
        for rule in [FIELD, PROFILE, REPLACE] {
            server.run(&["DEL", KEY]);
            let all = |time, value| Event { set: values(value), ..event(time, &[]) };
            assert_eq!(server.apply(rule, KEY, &all(10, "1")), Value::Int(APPLIED));
            assert_eq!(server.apply(rule, KEY, &all(30, "3")), Value::Int(APPLIED));
            assert_eq!(server.apply(rule, KEY, &all(20, "2")), Value::Int(STALE));
            let names = values("").into_iter().map(|(name, _)| name);
            let rest = if rule == FIELD {
                let mut late = all(25, "25");
                late.set.push(("one".to_owned(), "25".to_owned()));
                assert_eq!(server.apply(rule, KEY, &late), Value::Int(APPLIED));
                assert_eq!(server.stored(KEY).visible.len(), 20_001);
                visible(&[("one", "25")])
            } else {
                visible(&[])
            };
            if rule != REPLACE {
                let removal = Event { removed: names.collect(), ..event(40, &[]) };
                assert_eq!(server.apply(rule, KEY, &removal), Value::Int(APPLIED));
                assert_eq!(server.stored(KEY).visible, rest);
            }
            assert_eq!(server.apply(rule, KEY, &all(50, "5")), Value::Int(APPLIED));
            assert_eq!(server.delete(rule, KEY, deletion(60)), Value::Int(REMOVED));
            assert_eq!(server.stored(KEY).visible, visible(&[]));
        }
    });
}

/// The guard's own fields: names and values.
fn own(server: &mut Server) -> BTreeMap<String, String> {
    let all: BTreeMap<String, String> =
        from_redis_value(server.run(&["HGETALL", KEY])).expect("a hash");
    all.into_iter().filter(|(name, _)| name.starts_with(TIME_FIELD)).collect()
}

#[test]
fn notes_stay_few_and_small() {
    each_server(|server| {
        let names: Vec<String> = (0..20).map(|number| format!("trait.number.{number}")).collect();
        let mut rng = fastrand::Rng::with_seed(1);
        let mut most = 0;
        for time in 0..2_000 {
            let mut some = event(time, &[]);
            let chosen = names.iter().filter(|_| rng.bool());
            some.set = chosen.map(|name| (name.clone(), time.to_string())).collect();
            if !some.set.is_empty() {
                assert_eq!(server.apply(FIELD, KEY, &some), Value::Int(APPLIED));
            }
            most = most.max(own(server).len());
        }
        // Up to twenty single fields; sets with up to six pieces.
        assert!(most < 250, "{most} notes");
        assert!(own(server).values().all(|value| value.len() <= 64));
        assert_eq!(
            server.run(&["OBJECT", "ENCODING", KEY]),
            Value::BulkString(b"listpack".to_vec())
        );

        // Ever new fields are set and removed.
        server.run(&["DEL", KEY]);
        for time in 0..5_000 {
            let name = format!("item.{time}");
            server.apply(FIELD, KEY, &event(2 * time, &[(&name, "1"), ("count", "1")]));
            server.apply(FIELD, KEY, &removal(2 * time + 1, &[&name]));
        }
        let count = own(server).len();
        assert!(count < 1_000, "{count} notes");
        // What is older than all that is noted is refused; newer than that is taken.
        assert_eq!(server.apply(FIELD, KEY, &event(2, &[("item.1", "1")])), Value::Int(STALE));
        let late = event(9_999, &[("other", "1"), ("item.4999", "1")]);
        assert_eq!(server.apply(FIELD, KEY, &late), Value::Int(APPLIED));
        let late = event(9_997, &[("item.4999", "2")]);
        assert_eq!(server.apply(FIELD, KEY, &late), Value::Int(STALE));
    });
}

#[test]
fn the_permissions_suffice() {
    each_server(|server| {
        let mut line: Vec<&str> = "ACL SETUSER guard reset on nopass ~user:*".split(' ').collect();
        line.extend(Guard::ACL.split_whitespace());
        if server.has_field_ttl {
            line.push(Guard::FIELD_TTL_ACL);
        }
        assert_eq!(server.run(&line), Value::Okay);
        server.run(&["AUTH", "guard", ""]);
        let guard = Guard::new(GuardMode::Field, TIME_FIELD);
        for script in guard.scripts() {
            load(&mut server.connection, script);
        }
        for rule in [FIELD, PROFILE, REPLACE] {
            for once in [true, false] {
                let expiry = Some(Expiry { ttl: HOUR, is_moment: once, once });
                let mut newest = Event { expiry, ..event(10, &[("a", "1"), ("b", "1")]) };
                if server.has_field_ttl {
                    newest.expiring.insert("b".to_owned());
                }
                assert_eq!(server.apply(rule, KEY, &newest), Value::Int(APPLIED), "{rule:?}");
                let late = event(5, &[("c", "1")]);
                let meant = if rule == FIELD { APPLIED } else { STALE };
                assert_eq!(server.apply(rule, KEY, &late), Value::Int(meant));
                let removal = removal(11, &["a", "b", "c"]);
                assert_eq!(server.apply(rule, KEY, &removal), Value::Int(APPLIED));
                let all = Deletion { everything: true, ..deletion(1) };
                assert_eq!(server.delete(rule, KEY, all), Value::Int(APPLIED));
                let again = event(100, &[("a", "1")]);
                assert_eq!(server.apply(rule, KEY, &again), Value::Int(APPLIED));
                let all = Deletion { everything: true, ..deletion(1) };
                assert_eq!(server.delete(rule, KEY, all), Value::Int(REMOVED));
                let mut admin = connect(&server.redis);
                redis::cmd("FLUSHALL").exec(&mut admin).expect("the default user");
            }
        }
    });
}
