//! What a profile becomes: each feature as a user would try it, on the oldest server that has it
//! and on the newest.

use std::collections::BTreeMap;

use redis::Value;

use crate::harness::app::{App, run};
use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::redis::{Redis, ServerVersion};

/// The servers of a feature: the oldest that has it, and the newest of Redis and of Valkey. `None`:
/// Debian's Redis 7.0.
type Servers = [Option<ServerVersion>; 3];

const NEWEST: [Option<ServerVersion>; 2] =
    [Some(ServerVersion::Redis82), Some(ServerVersion::Valkey91)];
const SINCE_REDIS_6: Servers = [Some(ServerVersion::Redis62), NEWEST[0], NEWEST[1]];
const SINCE_REDIS_7: Servers = [None, NEWEST[0], NEWEST[1]];
const SINCE_REDIS_7_4: Servers = [Some(ServerVersion::Redis74), NEWEST[0], NEWEST[1]];

fn start(version: Option<ServerVersion>) -> Redis {
    match version {
        Some(version) => Redis::builder().version(version).start(),
        None => Redis::start(),
    }
}

/// Plays `with` against each of the servers, with a worker that has these settings.
fn on_each(versions: Servers, settings: &[&str], with: impl Fn(&Redis, &App)) {
    for version in versions {
        for protocol in ["redis.protocol=2", "redis.protocol=3"] {
            let redis = start(version);
            let url = format!("redis://127.0.0.1:{}", redis.port());
            let app = App::start(&url, &[settings, &[protocol]].concat());
            app.wait_ready();
            with(&redis, &app);
            app.assert_at_rest();
        }
    }
}

fn send(app: &App, event: &str) {
    let answer = app.client().post("/v1/batch", format!("{{\"batch\":[{event}]}}"));
    assert_eq!(answer.map(|answer| answer.status), Some(200), "{event}");
}

fn hash(redis: &Redis, key: &str) -> BTreeMap<String, String> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    redis.hgetall(key).into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn number(redis: &Redis, command: &[&str]) -> i64 {
    match redis.cli(command) {
        Value::Int(number) => number,
        other => panic!("{command:?}: {other:?}"),
    }
}

fn fields<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[test]
fn a_profile_ends_when_its_user_was_not_seen_for_a_while() {
    on_each(SINCE_REDIS_6, &["profile.ttl=2h", "profile.ttl_path=context.ttl"], |redis, app| {
        redis.cli(&["SET", "user:foreign", "a string"]);
        send(app, r#"{"type":"identify","userId":"u1","traits":{"a":1}}"#);
        let left = number(redis, &["PTTL", "user:u1"]);
        assert!((7_100_000..=7_200_000).contains(&left), "{left}");
        // Each write gives it the whole time again, or what the event says.
        redis.cli(&["EXPIRE", "user:u1", "10"]);
        send(app, r#"{"type":"identify","userId":"u1","traits":{"a":2}}"#);
        assert!(number(redis, &["PTTL", "user:u1"]) > 7_100_000);
        send(app, r#"{"type":"identify","userId":"u1","traits":{"a":3},"context":{"ttl":"90s"}}"#);
        assert!((80_000..=90_000).contains(&number(redis, &["PTTL", "user:u1"])));
        send(app, r#"{"type":"identify","userId":"u1","traits":{"a":4},"context":{"ttl":0}}"#);
        assert!((80_000..=90_000).contains(&number(redis, &["PTTL", "user:u1"])));
        assert_eq!(hash(redis, "user:u1"), fields([("a", "4")]));
        // A key of another type gets none.
        send(app, r#"{"type":"identify","userId":"foreign","traits":{"a":1}}"#);
        assert_eq!(number(redis, &["PTTL", "user:foreign"]), -1);
        assert_eq!(app.dead_letters().len(), 1);
    });
}

#[test]
fn with_once_only_a_key_without_an_end_gets_one() {
    let settings = ["profile.ttl=2h", "profile.ttl_mode=once"];
    on_each(SINCE_REDIS_7, &settings, |redis, app| {
        send(app, r#"{"type":"identify","userId":"u1","traits":{"a":1}}"#);
        redis.cli(&["EXPIRE", "user:u1", "100"]);
        send(app, r#"{"type":"identify","userId":"u1","traits":{"a":2}}"#);
        assert!((90_000..=100_000).contains(&number(redis, &["PTTL", "user:u1"])));
        redis.cli(&["PERSIST", "user:u1"]);
        send(app, r#"{"type":"identify","userId":"u1","traits":{"a":3}}"#);
        assert!(number(redis, &["PTTL", "user:u1"]) > 7_100_000);
    });
}

#[test]
fn fields_end_by_their_names() {
    let rules = r#"profile.field_ttl=[{match="session.*",ttl="30m"},{match="*.at",ttl="1h"}]"#;
    let with_ttls = |redis: &Redis, app: &App| {
        let event = r#"{"type":"identify","userId":"u1",
            "traits":{"name":"n","session":{"page":"/","at":"x"},"seen":{"at":"y"}}}"#;
        send(app, event);
        let ttl = |field: &str| {
            let reply = redis.cli(&["HPTTL", "user:u1", "FIELDS", "1", field]);
            let Value::Array(items) = &reply else { panic!("{reply:?}") };
            let [Value::Int(left)] = items[..] else { panic!("{reply:?}") };
            left
        };
        assert_eq!(ttl("name"), -1);
        for (field, most) in
            [("session.page", 1_800_000), ("session.at", 1_800_000), ("seen.at", 3_600_000)]
        {
            assert!((most - 60_000..=most).contains(&ttl(field)), "{field}: {}", ttl(field));
        }
    };
    for mode in ["merge", "replace"] {
        on_each(SINCE_REDIS_7_4, &[rules, &format!("profile.mode={mode}")], with_ttls);
    }
}

#[test]
fn a_null_removes_its_field() {
    on_each(SINCE_REDIS_6, &["profile.nulls=delete"], |redis, app| {
        redis.cli(&["HSET", "user:u1", "a", "1", "b", "1", "b.c", "1"]);
        send(app, r#"{"type":"identify","userId":"u1","traits":{"b":null,"d":2}}"#);
        assert_eq!(hash(redis, "user:u1"), fields([("a", "1"), ("b.c", "1"), ("d", "2")]));
        // Several events of one batch come to the last change of each field.
        send(
            app,
            r#"{"type":"identify","userId":"u1","traits":{"a":null,"e":1}},
               {"type":"identify","userId":"u1","traits":{"a":5,"e":null}},
               {"type":"identify","userId":"u2","traits":{"a":null}}"#,
        );
        assert_eq!(hash(redis, "user:u1"), fields([("a", "5"), ("b.c", "1"), ("d", "2")]));
        assert_eq!(number(redis, &["EXISTS", "user:u2"]), 0);
    });
}

#[test]
fn a_profile_is_exactly_the_last_event() {
    on_each(SINCE_REDIS_6, &["profile.mode=replace", "profile.ttl=2h"], |redis, app| {
        redis.cli(&["HSET", "user:u1", "old", "1", "a", "0"]);
        redis.cli(&["SET", "user:foreign", "a string"]);
        send(app, r#"{"type":"identify","userId":"u1","traits":{"a":1,"b":2}}"#);
        assert_eq!(hash(redis, "user:u1"), fields([("a", "1"), ("b", "2")]));
        assert!(number(redis, &["PTTL", "user:u1"]) > 7_100_000);
        // Nothing left to write: the profile stays.
        send(app, r#"{"type":"identify","userId":"u1","traits":{"a":null}}"#);
        assert_eq!(hash(redis, "user:u1"), fields([("a", "1"), ("b", "2")]));
        send(
            app,
            r#"{"type":"identify","userId":"u1","traits":{"c":1}},
               {"type":"identify","userId":"u1","traits":{"d":1}},
               {"type":"identify","userId":"foreign","traits":{"d":1}}"#,
        );
        assert_eq!(hash(redis, "user:u1"), fields([("d", "1")]));
        assert_eq!(redis.cli(&["GET", "user:foreign"]), Value::BulkString(b"a string".to_vec()));
        assert_eq!(number(redis, &["PTTL", "user:foreign"]), -1);
        assert_eq!(app.dead_letters().len(), 1);
    });
}

#[test]
fn an_old_event_never_overwrites_a_newer_one() {
    on_each(SINCE_REDIS_7, &["profile.newest_wins=field"], |redis, app| {
        let event = |minute: u32, traits: &str| {
            format!(
                "{{\"type\":\"identify\",\"userId\":\"u1\",\"traits\":{traits},\
                 \"originalTimestamp\":\"2026-01-01T00:{minute:02}:00Z\"}}"
            )
        };
        send(app, &event(5, r#"{"a":5,"b":5}"#));
        // Older: only what no newer event named is written.
        send(app, &event(3, r#"{"a":3,"c":3}"#));
        // Nothing of it is news.
        send(app, &event(2, r#"{"b":2,"c":2}"#));
        let mut found = hash(redis, "user:u1");
        found.retain(|name, _| !name.starts_with("_ts"));
        assert_eq!(found, fields([("a", "5"), ("b", "5"), ("c", "3")]));
        assert_eq!(app.metric("traitsink_events_stale_total", "source=\"http\""), 1.0);
        assert_eq!(app.metric("traitsink_events_written_total", "source=\"http\""), 2.0);
        // One batch in the wrong order.
        send(app, &[event(9, r#"{"a":9}"#), event(8, r#"{"a":8,"d":8}"#)].join(","));
        let found = hash(redis, "user:u1");
        assert_eq!((&*found["a"], &*found["d"]), ("9", "8"));
        // The server forgets its scripts: they are loaded again.
        redis.cli(&["SCRIPT", "FLUSH"]);
        send(app, &event(10, r#"{"a":10}"#));
        assert_eq!(hash(redis, "user:u1")["a"], "10");
    });
}

#[test]
fn a_server_that_is_too_old_is_told_in_plain_words() {
    for (version, setting, needs) in [
        (
            Some(ServerVersion::Redis62),
            "profile.newest_wins=field",
            "profile.newest_wins needs Redis 7.0",
        ),
        (
            None,
            r#"profile.field_ttl=[{match="a",ttl="1h"}]"#,
            "profile.field_ttl needs Redis 7.4 or Valkey 9.0",
        ),
    ] {
        let redis = start(version);
        let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
        let checked = run(&["-s", &url, "-s", setting, "check", "--connect"], b"");
        let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
        assert_eq!(checked.status.code(), Some(69), "{said}");
        assert!(said.contains(needs), "{said}");
        let app = App::start_with(&[&url, setting]);
        eventually("the reason is told", || {
            let answer = Client::new(app.admin).get("/ready");
            answer.is_some_and(|answer| answer.text().contains(needs))
        });
    }
}
