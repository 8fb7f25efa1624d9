//! Keys of one's own: templates, groups, prefixes that events choose; and events that delete.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::harness::app::{App, run};
use crate::harness::redis::Redis;

const DYNAMIC: &str = "redis.prefix={{ event.traits.tenant || nobody }}";

fn start(redis: &Redis, settings: &[&str]) -> App {
    let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), settings);
    app.wait_ready();
    app
}

/// Runs `traitsink` with `settings`, its own data directory, and `input`.
fn traitsink(
    redis: &Redis,
    data: &TempDir,
    settings: &[&str],
    verb: &[&str],
    input: &str,
) -> String {
    let (url, data) = (
        format!("redis.url=redis://127.0.0.1:{}", redis.port()),
        format!("data_dir={}", data.path().display()),
    );
    let mut args = vec!["-s", url.as_str(), "-s", &data];
    args.extend(settings.iter().flat_map(|setting| ["-s", *setting]));
    args.extend(verb);
    let output = run(&args, input.as_bytes());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr) + &format!("exit {:?}", output.status.code())
}

fn hash(redis: &Redis, key: &str) -> BTreeMap<String, String> {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let fields = redis.hgetall(key).into_iter();
    fields.map(|(name, value)| (text(name), text(value))).collect()
}

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn post(app: &App, path: &str, body: &Json) -> (u16, String) {
    let answer = app.client().post(path, body.to_string()).expect("an answer");
    (answer.status, answer.text())
}

#[test]
fn users_and_groups_have_the_keys_of_their_templates_and_prefixes() {
    let redis = Redis::start();
    let template = "redis.key={prefix}profile:{{{userId}}}";
    let app = start(&redis, &[template, "redis.group_key={prefix}group:{groupId}", DYNAMIC]);
    let ok = (200, "OK".to_owned());
    let body = json!({"userId": "u:{1}", "traits": {"tenant": "tenant-one", "a": 1}});
    assert_eq!(post(&app, "/v1/identify", &body), ok);
    assert_eq!(post(&app, "/v1/identify", &json!({"userId": "u", "traits": {"a": 2}})), ok);
    let context = json!({"traits": {"email": "a@b.c"}});
    let body = json!({"groupId": "g 1", "traits": {"name": "Acme", "tenant": " tenant-one "},
        "context": context});
    assert_eq!(post(&app, "/v1/group", &body), ok);
    assert_eq!(post(&app, "/v1/group", &json!({"groupId": " ", "traits": {"a": 1}})), ok);
    let (status, problem) =
        post(&app, "/v1/identify", &json!({"userId": "u", "traits": {"tenant": 7}}));
    assert_eq!(status, 400);
    assert!(problem.contains("bad_prefix"), "{problem}");

    assert_eq!(hash(&redis, "tenant-one:profile:{u:{1}}"), fields(&[("a", "1")]));
    assert_eq!(hash(&redis, "nobody:profile:{u}"), fields(&[("a", "2")]));
    assert_eq!(hash(&redis, "tenant-one:group:g 1"), fields(&[("name", "Acme")]));
    assert_eq!(redis.cli(&["DBSIZE"]), redis::Value::Int(3));
    let blank = "reason=\"blank_group_id\",source=\"http\"";
    assert_eq!(app.metric("traitsink_events_skipped_total", blank), 1.0);
    let bad = "reason=\"bad_prefix\",source=\"http\"";
    assert_eq!(app.metric("traitsink_events_rejected_total", bad), 1.0);
    assert!(!app.metrics().contains("tenant-one"), "no metric carries a prefix");
    app.assert_at_rest();
}

/// Neither the prefix of the replay nor a field `tenant`: the event comes to what it was.
#[test]
fn a_dead_letter_is_replayed_under_the_prefix_that_its_event_chose() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let group_key = "redis.group_key={prefix}group:{groupId}";
    redis.cli(&["SET", "t1:user:u", "in the way"]);
    redis.cli(&["SET", "nobody:group:g", "in the way"]);
    let app = start(&redis, &[group_key, DYNAMIC]);
    let event = json!({"userId": "u", "traits": {"tenant": "t1", "a": 1}});
    assert_eq!(post(&app, "/v1/identify", &event).0, 200);
    assert_eq!(post(&app, "/v1/group", &json!({"groupId": "g", "traits": {"a": 2}})).0, 200);
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 2);
    for (letter, (key, prefix, kind)) in
        letters.iter().zip([("t1:user:u", "t1", "identify"), ("nobody:group:g", "nobody", "group")])
    {
        assert_eq!(letter["key"], key);
        assert_eq!((&letter["prefix"], &letter["type"]), (&prefix.into(), &kind.into()));
        assert_eq!(letter["prefix_path"], "traits.tenant");
    }
    app.assert_at_rest();

    redis.cli(&["DEL", "t1:user:u", "nobody:group:g"]);
    let file = app.dead_letter_file();
    let replay = ["replay", file.to_str().unwrap()];
    let said = traitsink(&redis, &data, &[group_key, "redis.prefix=other"], &replay, "");
    assert!(said.contains("2 written, 0 skipped, 0 dead-lettered, 0 failed"), "{said}");
    assert_eq!(hash(&redis, "t1:user:u"), fields(&[("a", "1")]));
    assert_eq!(hash(&redis, "nobody:group:g"), fields(&[("a", "2")]));
    assert_eq!(redis.cli(&["DBSIZE"]), redis::Value::Int(2));
}

/// Under each prefix and entity, whatever the prefix of the event's own source.
#[test]
fn an_event_deletes_every_key_of_its_user() {
    let redis = Redis::start();
    let sources = r#"http.sources=[{name="a",write_key="a",prefix="p",may_delete=true},
        {name="b",write_key="b",prefix="{{ event.tenant || none }}"}]"#;
    let entities = ["profile.entities.workspace_id=w", "profile.entities.destination_id=d"];
    let deletion = [r#"deletion.event="User Deleted""#, "deletion.prefixes=more"];
    let app = start(&redis, &[&entities[..], &deletion, &[sources, "redis.prefix=q"]].concat());
    let send = |key: &str, path: &str, body: &Json| {
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")));
        let headers = [("authorization", authorization.as_str())];
        let answer = app.client().send("POST", path, &headers, body.to_string().as_bytes());
        assert_eq!(answer.expect("an answer").status, 200);
    };
    let sources = json!({"profiles_entity": "e", "profiles_id_type": "i", "profiles_model": "m"});
    for user in ["u1", "u2"] {
        send("a", "/v1/identify", &json!({"userId": user, "traits": {"a": 1}}));
        send("b", "/v1/identify", &json!({"userId": user, "traits": {"a": 1}, "tenant": "t"}));
        let context = json!({ "sources": sources });
        let entity = json!({"userId": user, "traits": {"a": 1}, "context": context});
        send("a", "/v1/identify", &entity);
    }
    let keys = |user: &str| {
        ["p:user", "t:user", "none:user", "w:d:e:i", "q:user", "more:user"]
            .map(|start| format!("{start}:{user}"))
    };
    let exist =
        |user: &str| keys(user).map(|key| redis.cli(&["EXISTS", &key]) == redis::Value::Int(1));
    let more = keys("u1").map(|key| redis.cli(&["SET", &key, "x", "NX"]));
    assert_eq!(more.iter().filter(|answer| **answer == redis::Value::Okay).count(), 3);
    ["q:user:u1", "more:user:u1"].iter().for_each(|key| {
        redis.cli(&["DEL", key]);
        redis.cli(&["HSET", key, "a", "1"]);
    });
    send("a", "/v1/track", &json!({"userId": "u1", "event": "User Deleted"}));
    // That of another type is left.
    assert_eq!(exist("u1"), [false, false, true, false, false, false]);
    assert_eq!(exist("u2"), [true, true, false, true, false, false]);
    assert_eq!(app.metric("traitsink_profiles_deleted_total", "by=\"event\""), 1.0);
    assert_eq!(app.metric("traitsink_events_written_total", "http"), 7.0);
    let line = app.wait_for_line("user deleted");
    assert!(!line.contains("u1"), "{line}");
    app.assert_at_rest();
}

#[test]
fn an_event_deletes_its_user_where_its_source_may() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let sources = r#"http.sources=[{name="web",write_key="web",prefix="p"},
        {name="server",write_key="server",prefix="p",may_delete=true}]"#;
    let deletion = r#"deletion.event="User Deleted""#;
    let app = start(&redis, &[sources, deletion]);
    let send = |key: &str, path: &str, body: &Json| {
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")));
        let headers = [("authorization", authorization.as_str())];
        let answer = app.client().send("POST", path, &headers, body.to_string().as_bytes());
        assert_eq!(answer.expect("an answer").status, 200);
    };
    for user in ["u1", "u2"] {
        send("web", "/v1/identify", &json!({"userId": user, "traits": {"a": 1}}));
    }
    let deleted = |user: &str| json!({"userId": user, "event": "User Deleted"});
    send("web", "/v1/track", &deleted("u1"));
    assert_eq!(hash(&redis, "p:user:u1"), fields(&[("a", "1")]), "web may not delete");
    send("server", "/v1/track", &deleted("u1"));
    send("server", "/v1/track", &deleted("nobody"));
    let other = json!({"userId": "u2", "event": "User Deleted Soon"});
    send("server", "/v1/track", &other);
    assert_eq!(hash(&redis, "p:user:u1"), fields(&[]));
    assert_eq!(hash(&redis, "p:user:u2"), fields(&[("a", "1")]));
    let skipped = "reason=\"not_identify\",source=\"http\"";
    assert_eq!(app.metric("traitsink_events_skipped_total", skipped), 2.0);
    assert_eq!(app.metric("traitsink_events_written_total", "http"), 4.0);
    assert_eq!(app.metric("traitsink_profiles_deleted_total", "by=\"event\""), 2.0);
    app.assert_at_rest();

    // Files may always delete. What follows is written.
    let track = r#"{"type":"track","userId":"u2","event":"User Deleted"}"#;
    let again = r#"{"type":"identify","userId":"u2","traits":{"b":2}}"#;
    let settings = [deletion, "redis.prefix=p"];
    let said = traitsink(&redis, &data, &settings, &["replay", "-"], &format!("{track}\n{again}"));
    assert!(said.contains("2 written, 0 skipped, 0 dead-lettered, 0 failed"), "{said}");
    assert_eq!(hash(&redis, "p:user:u2"), fields(&[("b", "2")]));
}

/// A record without a value has no text: its letter holds the id of its user.
#[test]
fn the_dead_letter_of_a_tombstone_is_replayed_and_fails_again_as_it_was() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    redis.cli(&["SET", "p:user:u 1", "in the way"]);
    redis.cli(&["HSET", "p:user:u2", "a", "1"]);
    redis.cli(&["HSET", "user:u 1", "a", "1"]);
    let letter = |id: &str| {
        let head = r#""at":"2026-11-29T06:00:00Z","reason":"wrong_type","source":"kafka""#;
        format!(r#"{{{head},"prefix":"p",{id},"topic":"t","partition":0,"offset":7}}"#)
    };
    let ids = [r#""tombstone":"u 1""#, r#""tombstone":"u2""#, r#""tombstone_base64":"dQH/""#];
    let input = ids.map(letter).join("\n");
    let said = traitsink(&redis, &data, &[], &["replay", "-"], &input);
    assert!(said.contains("0 written, 3 skipped, 0 dead-lettered"), "nobody deletes here: {said}");
    let on = ["deletion.event=Gone"];
    let said = traitsink(&redis, &data, &on, &["replay", "-"], &input);
    assert!(said.contains("1 written, 0 skipped, 2 dead-lettered, 0 failed"), "{said}");
    assert!(said.ends_with("exit Some(65)"), "{said}");
    assert_eq!(hash(&redis, "p:user:u2"), fields(&[]));
    assert_eq!(hash(&redis, "user:u 1"), fields(&[]), "each key of the user");
    let file = data.path().join("dead-letters.ndjson");
    let text = std::fs::read_to_string(&file).unwrap();
    let letters: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find = |reason: &str| letters.iter().find(|letter| letter["reason"] == reason).unwrap();
    let wrong_type = find("wrong_type");
    assert_eq!(
        (&wrong_type["tombstone"], &wrong_type["key"], &wrong_type["prefix"]),
        (&"u 1".into(), &"p:user:u 1".into(), &"p".into())
    );
    let unreadable = find("invalid_utf8");
    assert_eq!(unreadable["tombstone_base64"], "dQH/");
    assert!(letters.iter().all(|letter| letter.get("event").is_none()), "{text}");

    redis.cli(&["DEL", "p:user:u 1"]);
    redis.cli(&["HSET", "p:user:u 1", "a", "1"]);
    let (moved, again) = (data.path().join("repair.ndjson"), TempDir::new().unwrap());
    std::fs::rename(&file, &moved).unwrap();
    let said = traitsink(&redis, &again, &on, &["replay", moved.to_str().unwrap()], "");
    assert!(said.contains("1 written, 0 skipped, 1 dead-lettered, 0 failed"), "{said}");
    assert_eq!(hash(&redis, "p:user:u 1"), fields(&[]));
}

#[test]
fn explain_takes_a_prefix_that_events_choose() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let input = concat!(
        r#"{"type":"identify","userId":"u","traits":{"tenant":"t1","a":1}}"#,
        "\n",
        r#"{"type":"identify","userId":"u","traits":{"tenant":[],"a":1}}"#,
        "\n",
        r#"{"type":"track","event":"Gone","userId":"u"}"#,
    );
    let verb = ["explain", "--prefix", "{{ event.traits.tenant || none }}"];
    let said = traitsink(&redis, &data, &["deletion.event=Gone"], &verb, input);
    let lines = [
        r#"{"key":"t1:user:u","fields":{"a":"1"}}"#,
        r#"{"rejected":"bad_prefix"}"#,
        r#"{"delete":["none:user:u"]}"#,
        "exit Some(0)",
    ];
    assert_eq!(said, lines.join("\n"));
}

/// The line that `check --connect` prints lets the worker write all keys that its events may have.
#[test]
fn the_minimal_acl_is_enough_for_keys_of_ones_own() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let keys =
        ["redis.key={prefix}profile:{{{userId}}}", "redis.group_key={prefix}group:{groupId}"];
    let settings = [keys[0], keys[1], DYNAMIC, "redis.username=w", "redis.password=s3cret"];
    redis.cli(&["ACL", "SETUSER", "w", "on", ">s3cret", "~*", "+@all"]);
    let said = traitsink(&redis, &data, &settings, &["check", "--connect"], "");
    let line = said.lines().find_map(|line| line.strip_prefix("minimal acl")).expect(&said);
    let patterns =
        "~*:profile:{*} ~profile:{*} ~nobody:profile:{*} ~*:group:* ~group:* ~nobody:group:*";
    assert!(line.contains(patterns), "{line}");
    let words: Vec<&str> = line.split_whitespace().collect();
    let words: Vec<String> = words.iter().map(|word| word.replace("PASSWORD", "s3cret")).collect();
    redis.cli(&words.iter().map(String::as_str).collect::<Vec<_>>());

    let app = start(&redis, &settings);
    for traits in [json!({"tenant": "t1", "a": 1}), json!({"a": 1}), json!({"tenant": "", "a": 1})]
    {
        assert_eq!(post(&app, "/v1/identify", &json!({"userId": "u", "traits": traits})).0, 200);
        assert_eq!(post(&app, "/v1/group", &json!({"groupId": "g", "traits": traits})).0, 200);
    }
    assert_eq!(app.metric("traitsink_events_written_total", "http"), 6.0);
    assert_eq!(redis.cli(&["DBSIZE"]), redis::Value::Int(6));
}
