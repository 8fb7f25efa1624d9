//! Servers that refuse some keys with unknown texts: one poison event must not stop the others, and
//! a broken server must not cost any event.

use std::thread::JoinHandle;

use crate::harness::app::App;
use crate::harness::command_proxy::{CommandProxy, Reaction};
use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::redis::Redis;

const KVROCKS: &str =
    "ERR Invalid argument: WRONGTYPE Operation against a key holding the wrong kind of value";
const UPSTASH: &str = "ERR max request size exceeded. Limit: 1000000 bytes, Actual: 1000050 bytes.";

/// A proxy in front of the server on `port`. An HSET is refused with the text that `rule` returns
/// for its key and its other arguments.
fn refusing_proxy(
    port: u16,
    rule: impl Fn(&str, &[String]) -> Option<&'static str> + Send + Sync + 'static,
) -> CommandProxy {
    CommandProxy::start(port, move |words| match words {
        [command, key, parts @ ..] if command == "HSET" => {
            rule(key, parts).map_or(Reaction::Pass, Reaction::Refuse)
        }
        _ => Reaction::Pass,
    })
}

/// Makes the proxy accept everything from now on.
fn accept_all(proxy: &CommandProxy) {
    proxy.replace(|_| Reaction::Pass);
}

fn start(server: &CommandProxy) -> App {
    start_with(server, "http.wait=5s")
}

fn start_with(server: &CommandProxy, setting: &str) -> App {
    // One lane, which all keys share.
    let app = App::start(&server.url(), &["delivery.lanes=1", "delivery.retry_max=400ms", setting]);
    app.wait_ready();
    app
}

fn identify(client: &mut Client, user: &str, value: &str) -> u16 {
    let event = format!(r#"{{"userId":"{user}","traits":{{"v":"{value}"}}}}"#);
    client.post("/v1/identify", &event).expect("an answer").status
}

/// Sends the event in a thread until it is answered with 200.
fn send_until_accepted(app: &App, user: &'static str, value: &'static str) -> JoinHandle<()> {
    let mut client = app.client();
    std::thread::spawn(move || {
        eventually("the event is accepted", || identify(&mut client, user, value) == 200)
    })
}

/// Writes other keys, each within `http.wait`, until `done`.
fn write_others(app: &App, done: impl Fn() -> bool) {
    let mut client = app.client();
    let mut number = 0;
    eventually("other writes prove that the server works", || {
        number += 1;
        assert_eq!(
            identify(&mut client, &format!("neighbour-{}", number % 20), "good"),
            200,
            "another key was held back"
        );
        done()
    });
}

fn refusals(app: &App) -> f64 {
    app.metric("traitsink_redis_errors_total", "class=\"retry\"")
}

fn reasons(app: &App) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    app.dead_letters()
        .iter()
        .map(|letter| (text(&letter["reason"]), text(&letter["key"])))
        .collect()
}

fn value(redis: &Redis, key: &str) -> Option<String> {
    redis.hgetall(key).get(&b"v"[..]).map(|value| String::from_utf8(value.clone()).expect("UTF-8"))
}

#[test]
fn texts_of_kvrocks_and_upstash_need_no_proof() {
    for (text, reason) in [(KVROCKS, "wrong_type"), (UPSTASH, "refused")] {
        let redis = Redis::start();
        let server =
            refusing_proxy(redis.port(), move |key, _| (key == "user:bad").then_some(text));
        let app = start(&server);
        assert_eq!(identify(&mut app.client(), "bad", "v"), 200, "{text}");
        assert_eq!(reasons(&app), [(reason.to_owned(), "user:bad".to_owned())], "{text}");
        app.assert_at_rest();
    }
}

/// Several events of one key are sent as one command, which exceeds the limit on commands.
#[test]
fn events_that_are_too_large_only_together_are_written_one_by_one() {
    let redis = Redis::start();
    let too_large = |_: &str, parts: &[String]| (parts.len() > 4).then_some(UPSTASH);
    let app = start(&refusing_proxy(redis.port(), too_large));
    let event = |number| {
        format!(r#"{{"type":"identify","userId":"u","traits":{{"v":"{number}","f{number}":1}}}}"#)
    };
    let events: Vec<String> = (0..20).map(event).collect();
    let batch = format!(r#"{{"batch":[{}]}}"#, events.join(","));
    assert_eq!(app.client().post("/v1/batch", &batch).expect("an answer").status, 200);
    assert_eq!(
        (reasons(&app), redis.hgetall("user:u").len(), value(&redis, "user:u")),
        (vec![], 21, Some("19".to_owned()))
    );
    app.assert_at_rest();
}

#[test]
fn one_event_that_is_refused_for_an_unknown_reason_stops_no_other_and_is_dead_lettered() {
    for text in ["ERR this value is not to our liking", "unsupported value"] {
        let redis = Redis::start();
        let poison = move |_: &str, parts: &[String]| {
            parts.iter().any(|part| part == "poison").then_some(text)
        };
        let app = start(&refusing_proxy(redis.port(), poison));
        assert_eq!(identify(&mut app.client(), "first", "good"), 200);
        let bad = send_until_accepted(&app, "bad", "poison");
        eventually("the event is set aside", || {
            app.metric("traitsink_events_set_aside", "") >= 1.0
        });
        let later = send_until_accepted(&app, "bad", "later");
        write_others(&app, || !app.dead_letters().is_empty());
        assert!(app.ready(), "{text}");
        bad.join().expect("the request is answered");
        later.join().expect("the request is answered");
        assert!(
            reasons(&app)
                .iter()
                .all(|letter| *letter == ("refused".to_owned(), "user:bad".to_owned())),
            "{text}"
        );
        assert_eq!(value(&redis, "user:bad").as_deref(), Some("later"), "{text}");
        app.assert_at_rest();
    }
}

#[test]
fn one_text_for_many_keys_at_once_is_no_poison() {
    let redis = Redis::start();
    let third = |key: &str, _: &[String]| {
        key.contains("shard").then_some("ERR this shard is not to be had")
    };
    let server = refusing_proxy(redis.port(), third);
    let app = start(&server);
    let users = ["shard-1", "shard-2", "shard-3", "shard-4", "shard-5", "shard-6"];
    let waiting = users.map(|user| send_until_accepted(&app, user, "good"));
    write_others(&app, || refusals(&app) > 100.0);
    assert_eq!(reasons(&app), []);
    accept_all(&server);
    waiting.into_iter().for_each(|sender| sender.join().expect("the request is answered"));
    assert!(users.iter().all(|user| value(&redis, &format!("user:{user}")).is_some()));
    assert_eq!(reasons(&app), []);
    app.wait_ready();
    app.assert_at_rest();
}

#[test]
fn a_text_that_speaks_of_a_backend_is_no_poison() {
    let redis = Redis::start();
    let sick = |key: &str, _: &[String]| (key == "user:bad").then_some("ERR backend timed out");
    let server = refusing_proxy(redis.port(), sick);
    let app = start(&server);
    assert_eq!(identify(&mut app.client(), "first", "good"), 200);
    let bad = send_until_accepted(&app, "bad", "good");
    write_others(&app, || refusals(&app) > 12.0);
    assert_eq!(reasons(&app), []);
    accept_all(&server);
    bad.join().expect("the request is answered");
    assert_eq!(value(&redis, "user:bad").as_deref(), Some("good"));
    assert_eq!(reasons(&app), []);
    app.assert_at_rest();
}

/// The same text as before, and no other write: nothing shows if the event or the server is at
/// fault.
#[test]
fn what_is_refused_alone_is_tried_for_ever() {
    let redis = Redis::start();
    let server = refusing_proxy(redis.port(), |_, _| Some("ERR not to our liking"));
    let app = start(&server);
    let bad = send_until_accepted(&app, "bad", "good");
    eventually("the event is refused often", || refusals(&app) > 20.0);
    let waiting = Client::new(app.admin).get("/ready").expect("an answer");
    assert!(
        waiting.status == 503 && waiting.text().contains("answered with an error"),
        "{}",
        waiting.text()
    );
    accept_all(&server);
    bad.join().expect("the request is answered");
    assert_eq!(reasons(&app), []);
    app.wait_ready();
    app.assert_at_rest();
}

/// The lane was down, and its first attempt is a poison event. Others must be admitted, because
/// their writes prove that the server works.
#[test]
fn a_refused_event_keeps_no_lane_down_after_an_outage() {
    let mut redis = Redis::start();
    let poison = |_: &str, parts: &[String]| {
        parts.iter().any(|part| part == "poison").then_some("ERR not to our liking")
    };
    let app = start_with(&refusing_proxy(redis.port(), poison), "http.wait=15s");
    let bad = send_until_accepted(&app, "bad", "poison");
    eventually("the event is set aside", || app.metric("traitsink_events_set_aside", "") >= 1.0);
    redis.kill();
    let lost = || app.metric("traitsink_redis_errors_total", "class=\"reconnect\"");
    eventually("the lane is down", || lost() >= 8.0);
    redis.restart();
    eventually("the lane is up", || identify(&mut app.client(), "other", "good") == 200);
    write_others(&app, || !app.dead_letters().is_empty());
    bad.join().expect("the request is answered");
    assert_eq!(reasons(&app), [("refused".to_owned(), "user:bad".to_owned())]);
    app.assert_at_rest();
}
