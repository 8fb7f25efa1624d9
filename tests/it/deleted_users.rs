//! Users are deleted by the API of a real worker, with exactly the permissions that `check
//! --connect` names.

use crate::harness::app::{App, run};
use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::redis::Redis;

const TOKEN: &str = "Bearer a-token";

/// A worker with a user of its own, who may do what `check --connect` says, and nothing else.
fn start(redis: &Redis, settings: &[&str]) -> App {
    let url = format!("redis.url=redis://w:s3cret@127.0.0.1:{}", redis.port());
    let own = ["deletion.listen=127.0.0.1:0", "deletion.token=a-token"];
    let all = [settings, &own, &[&url]].concat();
    redis.cli(&["ACL", "SETUSER", "w", "on", ">s3cret", "~*", "+@all"]);
    let mut args: Vec<&str> = all.iter().flat_map(|&setting| ["-s", setting]).collect();
    args.extend(["check", "--connect"]);
    let checked = run(&args, b"");
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    let line = said.lines().find_map(|line| line.strip_prefix("minimal acl")).expect(&said);
    let words: Vec<String> =
        line.split_whitespace().map(|word| word.replace("PASSWORD", "s3cret")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(redis.cli(&words), redis::Value::Okay, "{line}");
    App::start_with(&all)
}

fn send(app: &App, user: &str) {
    let event = format!(r#"{{"userId":"{user}","traits":{{"a":1}}}}"#);
    assert_eq!(app.client().post("/v1/identify", event).map(|answer| answer.status), Some(200));
}

/// Asks for a regulation of this kind, and waits until it is done.
fn regulate(app: &mut App, kind: &str, user: &str) -> serde_json::Value {
    let mut api = Client::new(app.listening("deletion"));
    let headers = [("authorization", TOKEN)];
    let body = serde_json::json!({
        "regulationType": kind, "subjectType": "USER_ID", "subjectIds": [user],
    });
    let answer = api.send("POST", "/regulations", &headers, body.to_string().as_bytes());
    let answer: serde_json::Value =
        serde_json::from_str(&answer.expect("an answer").text()).expect("JSON");
    let id = answer["data"]["regulateId"].as_str().expect("an id");
    let path = format!("/regulations/{id}");
    let mut found = serde_json::Value::Null;
    eventually("the regulation is done", || {
        let answer = api.send("GET", &path, &headers, b"").expect("an answer");
        let answer: serde_json::Value = serde_json::from_str(&answer.text()).expect("JSON");
        found = answer["data"]["regulation"].clone();
        !["INITIALIZED", "RUNNING"].contains(&found["overallStatus"].as_str().expect("a text"))
    });
    found
}

fn exists(redis: &Redis, key: &str) -> bool {
    redis.cli(&["EXISTS", key]) == redis::Value::Int(1)
}

#[test]
fn a_user_is_deleted_and_kept_away() {
    let redis = Redis::start();
    let mut app = start(&redis, &["profile.ttl=1h", "profile.nulls=delete", "redis.prefix=p"]);
    redis.cli(&["SET", "p:user:string", "x"]);
    ["u1", "u2"].iter().for_each(|user| send(&app, user));
    assert!(exists(&redis, "p:user:u1"));
    let done = regulate(&mut app, "DELETE_ONLY", "u1");
    assert_eq!((&done["overallStatus"], &done["keysDeleted"]), (&"FINISHED".into(), &1.into()));
    assert!(!exists(&redis, "p:user:u1") && exists(&redis, "p:user:u2"));
    // What is sent for the user later is written again.
    send(&app, "u1");
    assert!(exists(&redis, "p:user:u1"));
    let done = regulate(&mut app, "SUPPRESS_WITH_DELETE", "u1");
    assert_eq!(done["overallStatus"], "FINISHED");
    send(&app, "u1");
    assert!(!exists(&redis, "p:user:u1"));
    let skipped = "reason=\"suppressed\",source=\"http\"";
    assert_eq!(app.metric("traitsink_events_skipped_total", skipped), 1.0);
    // A key of another type is left, and a missing one is a success.
    let done = regulate(&mut app, "DELETE_ONLY", "string");
    assert_eq!(done["overallStatus"], "PARTIAL_SUCCESS");
    assert!(exists(&redis, "p:user:string"));
    assert_eq!(regulate(&mut app, "DELETE_ONLY", "nobody")["overallStatus"], "FINISHED");
    assert_eq!(app.metric("traitsink_profiles_deleted_total", "by=\"api\""), 4.0);
    app.assert_at_rest();
}

#[test]
fn with_the_guard_a_deleted_user_may_register_again() {
    let redis = Redis::start();
    let mut app = start(&redis, &["profile.newest_wins=field", "profile.ttl=1h"]);
    send(&app, "u1");
    let done = regulate(&mut app, "DELETE_ONLY", "u1");
    assert_eq!((&done["overallStatus"], &done["keysDeleted"]), (&"FINISHED".into(), &1.into()));
    let old = r#"{"batch":[{"type":"identify","userId":"u1","traits":{"a":"old"},
        "originalTimestamp":"2020-01-01T00:00:00Z"}]}"#;
    assert_eq!(app.client().post("/v1/batch", old).map(|answer| answer.status), Some(200));
    assert_eq!(app.metric("traitsink_events_stale_total", "source=\"http\""), 1.0);
    let a = |redis: &Redis| redis.cli(&["HGET", "user:u1", "a"]);
    assert_eq!(a(&redis), redis::Value::Nil);
    send(&app, "u1");
    assert_eq!(a(&redis), redis::Value::BulkString(b"1".to_vec()));
    let ttl: i64 = redis::from_redis_value(redis.cli(&["TTL", "user:u1"])).expect("a number");
    assert!((3500..=3600).contains(&ttl), "the tombstone's end is gone: {ttl}");
    app.assert_at_rest();
}
