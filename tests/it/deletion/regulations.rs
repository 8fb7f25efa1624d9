//! The life of a regulation: what it does, what its state says, and what a restart leaves of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Deletions, SUPPRESSIONS, Settings};
use crate::harness::eventually;
use crate::harness::redis::Redis;

fn write(redis: &Redis, keys: &[&str]) {
    for key in keys {
        redis.cli(&["HSET", key, "a", "1"]);
    }
}

/// The profiles in Redis, sorted.
fn keys(redis: &Redis) -> Vec<String> {
    let mut keys: Vec<String> = redis::from_redis_value(redis.cli(&["KEYS", "*"])).expect("keys");
    keys.retain(|key| key != SUPPRESSIONS);
    keys.sort();
    keys
}

fn deleted(worker: &Deletions) -> u64 {
    let text = worker.metrics.render();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("traitsink_profiles_deleted_total{by=\"api\"} "));
    line.expect("the metric").parse().expect("a number")
}

#[test]
fn a_deletion_finds_every_key_of_its_users_and_no_other() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let worker = Deletions::start(&redis, dir.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(worker.seen.keep_prefix("seen")).unwrap();
    runtime.block_on(worker.seen.keep_entity("person", "email")).unwrap();
    let of_user = ["user:u1", "web:user:u1", "old:user:u1", "seen:user:u1", "w:d:person:email:u1"];
    let others = ["group:u1", "other:user:u1", "user:u11", "user:u2"];
    write(&redis, &of_user);
    write(&redis, &others);
    let id = worker.regulate("DELETE_ONLY", &["u1", "nobody", "u1"]);
    let state = worker.ended(&id);
    assert_eq!((&state["overallStatus"], &state["subjects"]), (&json!("FINISHED"), &json!(2)));
    assert_eq!(state["keysDeleted"], 5);
    assert_eq!(keys(&redis), others);
    assert_eq!(deleted(&worker), 2, "users, whether they have keys or not");
    assert!(!worker.suppressions.holds(b"u1"));

    // A source has its own keys only.
    write(&redis, &of_user);
    let id = worker.regulate_at("/regulations/sources/website", "DELETE_INTERNAL", &["u1"]);
    assert_eq!(worker.ended(&id)["keysDeleted"], 1);
    let left = keys(&redis);
    assert!(!left.contains(&"web:user:u1".into()) && left.contains(&"user:u1".into()), "{left:?}");
    let body = json!({"regulationType": "suppress", "users": [{"userId": "u1"}]});
    worker.ask(404, "POST", "/regulations/sources/other", &body);

    // What was seen is known after a restart, too.
    worker.stop();
    let worker = Deletions::start(&redis, dir.path());
    let id = worker.regulate("DELETE_ONLY", &["u1"]);
    assert_eq!(worker.ended(&id)["keysDeleted"], 4);
    assert_eq!(keys(&redis), others);
}

#[test]
fn a_key_of_another_type_is_left_and_told() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let worker = Deletions::start(&redis, dir.path());
    redis.cli(&["SET", "user:u1", "text"]);
    write(&redis, &["old:user:u1"]);
    let state = worker.ended(&worker.regulate("DELETE_ONLY", &["u1"]));
    let found = (&state["overallStatus"], &state["reasons"], &state["keysDeleted"]);
    assert_eq!(found, (&json!("PARTIAL_SUCCESS"), &json!(["wrong_type"]), &json!(1)));
    let job = json!([{"jobId": 5, "destType": "REDIS", "config": {}, "userAttributes": [
        {"userId": "u1", "email": "e"}]}]);
    let answer = worker.ask(500, "POST", "/deleteUsers", &job);
    assert_eq!((&answer[0]["jobId"], &answer[0]["status"]), (&json!(5), &json!("failed")));
    assert!(answer[0]["error"].as_str().unwrap().contains("another type"), "{answer}");
    redis.cli(&["DEL", "user:u1"]);
    let answer = worker.ask(200, "POST", "/deleteUsers", &job);
    assert_eq!(answer, json!([{"jobId": 5, "status": "successful"}]));
}

#[test]
fn a_suppression_holds_until_it_is_lifted() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let worker = Deletions::start(&redis, dir.path());
    write(&redis, &["user:u1", "user:u2"]);
    let begun = Instant::now();
    let id = worker.regulate("SUPPRESS_WITH_DELETE", &["u1"]);
    assert!(worker.suppressions.holds(b"u1"), "from the answer on");
    eventually("the first deletion", || keys(&redis) == ["user:u2"]);
    // Another worker, which does not know yet, writes again.
    write(&redis, &["user:u1"]);
    let state = worker.ended(&id);
    assert!(begun.elapsed() >= Duration::from_secs(5), "other workers need 5 s");
    let found = (&state["overallStatus"], &state["keysDeleted"]);
    assert_eq!(found, (&json!("FINISHED"), &json!(2)));
    assert_eq!(keys(&redis), ["user:u2"]);
    assert_eq!(deleted(&worker), 1);

    // The hash is as the documents say it.
    let digest = crate::harness::run("sh", &["-c", "printf u1 | sha256sum"], dir.path());
    let value = redis.cli(&["HGET", SUPPRESSIONS, &digest[..64]]);
    let value: String = redis::from_redis_value(value).unwrap();
    let (sign, time) = value.split_at(1);
    let created = state["createdAt"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!((sign, time.parse()), ("+", Ok(created.as_millisecond())));

    // It is on disk.
    worker.stop();
    let worker = Deletions::start(&redis, dir.path());
    assert!(worker.suppressions.holds(b"u1") && !worker.suppressions.holds(b"u2"));
    assert_eq!(worker.state(&id), state);
    let lifted = worker.ended(&worker.regulate("UNSUPPRESS", &["u1", "u3"]));
    assert_eq!(lifted["overallStatus"], "FINISHED");
    assert!(!worker.suppressions.holds(b"u1"));
    let value: String =
        redis::from_redis_value(redis.cli(&["HGET", SUPPRESSIONS, &digest[..64]])).unwrap();
    assert!(value.starts_with('-'), "{value}");
}

#[test]
fn the_form_of_rudderstack() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let worker = Deletions::start(&redis, dir.path());
    let post = |body: &Value| worker.ask(201, "POST", "/v2/regulations", body);
    let path = |answer: &Value| format!("/v2/regulations/{}", answer["id"].as_str().unwrap());
    let users = json!([{"userId": "u1"}, {"userId": 2}]);
    let first = post(&json!({"regulationType": "suppress", "users": users}));
    assert_eq!(first["status"], "pending");
    assert!(worker.suppressions.holds(b"u1") && worker.suppressions.holds(b"2"));
    let status = |answer: &Value| worker.ask(200, "GET", &path(answer), &Value::Null);
    eventually("complete", || status(&first) == json!({"id": first["id"], "status": "complete"}));

    // A later regulation of the same user holds after the first is lifted.
    post(&json!({"regulationType": "suppress", "users": [{"userId": "u1"}],
        "sourceIds": ["not ours"], "destinationIds": ["d"]}));
    let lifted = worker.ask(200, "DELETE", &path(&first), &Value::Null);
    assert_eq!(lifted, json!({"id": first["id"], "status": "complete"}));
    assert!(worker.suppressions.holds(b"u1") && !worker.suppressions.holds(b"2"));

    // What is lifted before it is done is not done.
    let third =
        post(&json!({"regulationType": "suppress_with_delete", "users": [{"userId": "u3"}]}));
    assert!(worker.suppressions.holds(b"u3"));
    let lifted = worker.ask(200, "DELETE", &path(&third), &Value::Null);
    assert_eq!(lifted["status"], "aborted");
    assert!(!worker.suppressions.holds(b"u3"));
    let unknown = post(&json!({"regulationType": "delete", "users": [{"userId": "u3"}]}));
    assert_eq!(unknown["status"], "aborted");
    for method in ["GET", "DELETE"] {
        let answer = worker.ask(404, method, "/v2/regulations/none", &Value::Null);
        assert_eq!(answer["code"], "no_such_regulation");
    }
}

#[test]
fn what_is_not_done_here_is_told() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let worker = Deletions::start(&redis, dir.path());
    write(&redis, &["user:u1"]);
    for (kind, shown, state) in [
        ("DELETE_ARCHIVE_ONLY", "DELETE_ARCHIVE_ONLY", "NOT_SUPPORTED"),
        ("DELETE_u1", "UNKNOWN", "INVALID"),
    ] {
        let found = worker.state(&worker.regulate(kind, &["u1"]));
        assert_eq!(
            (&found["regulationType"], &found["overallStatus"]),
            (&json!(shown), &json!(state))
        );
        assert_eq!((&found["subjects"], &found["keysDeleted"]), (&json!(1), &json!(0)));
    }
    let body = json!({"regulationType": "DELETE_ONLY", "subjectType": "OBJECT_ID",
        "subjectIds": ["u1"]});
    let answer = worker.ask(200, "POST", "/regulations", &body);
    let id = answer["data"]["regulateId"].as_str().unwrap();
    assert_eq!(worker.state(id)["overallStatus"], "INVALID");
    assert_eq!(keys(&redis), ["user:u1"]);
}

#[test]
fn suppressions_are_never_forgotten_to_make_room() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let settings = Settings { max_suppressed: 3, ..Settings::standalone(&redis, dir.path()) };
    let worker = Deletions::with(settings, dir.path());
    worker.regulate("SUPPRESS_ONLY", &["u1", "u2"]);
    let body = |users: &[&str]| {
        json!({"regulationType": "SUPPRESS_WITH_DELETE", "subjectType": "USER_ID",
            "subjectIds": users})
    };
    let answer = worker.ask(507, "POST", "/regulations", &body(&["u3", "u4"]));
    assert_eq!(answer["code"], "too_many_suppressed");
    assert!(!worker.suppressions.holds(b"u3"), "all or nothing");
    worker.ask(200, "POST", "/regulations", &body(&["u3", "u1"]));
    worker.ask(507, "POST", "/regulations", &body(&["u4"]));
    // Those that are known can be lifted, and suppressed again.
    worker.regulate("UNSUPPRESS", &["u1"]);
    worker.regulate("SUPPRESS_ONLY", &["u1"]);
    assert!([b"u1", b"u2", b"u3"].iter().all(|user| worker.suppressions.holds(&user[..])));
}

#[test]
fn the_dead_letters_of_the_users_go() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let worker = Deletions::start(&redis, dir.path());
    let path = dir.path().join("dead-letters.ndjson");
    let letter = |event: &str| {
        json!({"at": "2026-01-01T00:00:00Z", "reason": "refused", "source": "http", "event": event})
            .to_string()
            + "\n"
    };
    let of_u1 = letter(r#"{"type":"identify","userId":"u1","traits":{"secret":1}}"#);
    let of_u2 = letter(r#"{"type":"identify","userId":"u2","traits":{"a":1}}"#);
    let unreadable = letter(r#"{"type":"identify","userId":"u1","traits":{"a":NaN}}"#);
    std::fs::write(&path, format!("{of_u1}{of_u2}{unreadable}{of_u1}")).unwrap();
    let state = worker.ended(&worker.regulate("DELETE_ONLY", &["u1"]));
    assert_eq!(state["deadLetters"], json!({"removed": 2, "left": 1}));
    assert_eq!(state["overallStatus"], "FINISHED");
    let text = std::fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(kept, [of_u2.trim(), unreadable.trim()]);
}

#[test]
fn what_redis_cannot_do_now_is_done_later_by_another_process_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut redis = Redis::start();
    let port = redis.port();
    redis.kill();
    let settings = || Settings::new(&[&format!("redis.url=redis://127.0.0.1:{port}")], dir.path());
    let worker = Deletions::with(settings(), dir.path());
    let ids = ["DELETE_ONLY", "SUPPRESS_WITH_DELETE", "UNSUPPRESS"]
        .map(|kind| worker.regulate(kind, &[&format!("u-{kind}")]));
    eventually("work begins", || {
        ids.iter().all(|id| worker.state(id)["overallStatus"] == "RUNNING")
    });
    let waiting = || worker.readiness.waiting_for();
    eventually("not ready", || {
        waiting().iter().any(|(part, why)| *part == "suppressions" && why.contains("cannot read"))
    });
    worker.stop();
    // The ids of users are on disk while they are needed.
    let on_disk = || std::fs::read(dir.path().join("deletion.redb")).unwrap();
    assert!(memchr::memmem::find(&on_disk(), b"u-DELETE_ONLY").is_some());

    redis.restart();
    write(&redis, &["user:u-DELETE_ONLY", "user:u-SUPPRESS_WITH_DELETE", "user:u-UNSUPPRESS"]);
    let worker = Deletions::with(settings(), dir.path());
    for id in &ids {
        assert_eq!(worker.ended(id)["overallStatus"], "FINISHED");
    }
    assert_eq!(keys(&redis), ["user:u-UNSUPPRESS"]);
    eventually("ready", || worker.readiness.is_ready());
}
