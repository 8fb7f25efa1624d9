//! The whole worker with a real Redis: fields that stay in a hash, full servers, full files, and
//! secrets that it never shows.

use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use nix::sys::signal::Signal;

use crate::harness::app::{App, run};
use crate::harness::redis::Redis;
use crate::harness::{self, eventually, guide};

/// A worker that is ready.
pub(crate) fn start(redis: &Redis, settings: &[&str]) -> App {
    let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), settings);
    app.wait_ready();
    app
}

/// The status of the answer to one event.
pub(crate) fn identify(app: &App, body: &str) -> u16 {
    app.client().post("/v1/identify", body).expect("an answer").status
}

fn hash(redis: &Redis, key: &str) -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    redis.hgetall(key).into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

/// Rows 68 to 72 of the acceptance table.
#[test]
fn the_examples_of_the_guide_are_written() {
    let redis = Redis::start();
    guide::check_examples(&start(&redis, &guide::WRITE_KEYS), |key| redis.hgetall(key));
}

#[test]
fn a_hash_keeps_what_later_events_do_not_name() {
    let redis = Redis::start();
    let app = start(&redis, &[]);
    let send = |traits: &str| {
        assert_eq!(
            identify(&app, &format!(r#"{{"userId":"u","traits":{traits}}}"#)),
            200,
            "{traits}"
        )
    };
    send(r#"{"a":1,"b":2}"#);
    send(r#"{"a":3}"#);
    assert_eq!(hash(&redis, "user:u"), pairs(&[("a", "3"), ("b", "2")]), "row 68");
    redis.cli(&["DEL", "user:u"]);
    send(r#"{"addr":{"city":"A"}}"#);
    send(r#"{"addr":"none"}"#);
    assert_eq!(hash(&redis, "user:u"), pairs(&[("addr", "none"), ("addr.city", "A")]), "row 69");
    send(r#"{"addr":"none"}"#);
    assert_eq!(hash(&redis, "user:u").len(), 2, "row 70");
    assert_eq!(redis.cli(&["TTL", "user:u"]), redis::Value::Int(-1), "row 71");
    redis.cli(&["EXPIRE", "user:u", "1000"]);
    send(r#"{"addr":"again"}"#);
    assert!(matches!(redis.cli(&["TTL", "user:u"]), redis::Value::Int(1..)), "row 71");

    redis.cli(&["SET", "user:s", "a string"]);
    let batch = r#"{"batch":[{"type":"identify","userId":"s","traits":{"a":1}},
        {"type":"identify","userId":"n","traits":{"a":1}}]}"#;
    assert_eq!(app.client().post("/v1/batch", batch).expect("an answer").status, 200, "row 72");
    assert_eq!(hash(&redis, "user:n"), pairs(&[("a", "1")]), "row 72");
    assert_eq!(app.dead_letters().len(), 1, "row 72");
    app.assert_at_rest();
}

#[test]
fn a_full_redis_is_waited_for() {
    let redis = Redis::start();
    let app = start(&redis, &["http.wait=200ms", "delivery.retry_max=200ms"]);
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let event = r#"{"userId":"u","traits":{"a":1}}"#;
    assert_eq!(identify(&app, event), 503);
    eventually("not ready", || !app.ready());
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    app.wait_ready();
    assert_eq!(identify(&app, event), 200);
    assert!(app.dead_letters().is_empty());
    assert!(app.metric("traitsink_redis_errors_total", "code=\"OOM\"") >= 1.0);
    app.assert_at_rest();
}

#[test]
fn a_full_dead_letter_file_acknowledges_nothing() {
    let redis = Redis::start();
    let app = start(&redis, &["dead_letter.max_size=10B"]);
    redis.cli(&["SET", "user:s", "a string"]);
    assert_eq!(identify(&app, r#"{"userId":"s","traits":{"a":1}}"#), 503);
    assert_eq!(identify(&app, r#"{"userId":"n","traits":{"a":1}}"#), 200, "other keys are written");
    assert!(app.dead_letters().is_empty());
    app.assert_at_rest();
}

/// The packed commands of the batch exceed a lane's share of the memory, so they pass through the
/// lane one after the other.
#[test]
fn a_large_batch_of_one_user_passes() {
    let value = "x".repeat(10_000);
    let events: Vec<String> = (0..700)
        .map(|n| {
            let traits = format!(r#"{{"n":{n},"v":"{value}","f{}":{n}}}"#, n % 5);
            format!(r#"{{"type":"identify","userId":"u","traits":{traits}}}"#)
        })
        .collect();
    let body = format!(r#"{{"batch":[{}]}}"#, events.join(","));
    assert!(body.len() > 6 << 20);
    for memory in ["delivery.max_in_flight=16MiB", "delivery.max_in_flight=32MiB"] {
        let redis = Redis::start();
        let app = start(&redis, &[memory, "http.wait=20s"]);
        assert_eq!(
            app.client().post("/v1/batch", &body).expect("an answer").status,
            200,
            "{memory}"
        );
        let found = hash(&redis, "user:u");
        assert_eq!(
            found.iter().find(|(name, _)| name == "n").map(|(_, value)| value.as_str()),
            Some("699"),
            "{memory}"
        );
        assert!(app.metric("traitsink_updates_merged_total", "") > 0.0, "{memory}");
        app.assert_at_rest();
    }
}

/// Promise 3: Redis does not answer, and as many events are sent as the worker takes.
#[test]
fn bytes_in_flight_stay_below_the_limit() {
    let redis = Redis::start();
    let app = start(
        &redis,
        &[
            "delivery.max_in_flight=4MiB",
            "http.max_body=1MiB",
            "http.wait=3s",
            "redis.response_timeout=30s",
        ],
    );
    redis.pause();
    let body = format!(r#"{{"userId":"u","traits":{{"v":"{}"}}}}"#, "x".repeat(500_000));
    let refused = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..16).map(|_| scope.spawn(|| identify(&app, &body))).collect();
        let mut most = 0.0_f64;
        while !requests.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            most = most.max(app.metric("traitsink_in_flight_bytes", ""));
        }
        assert!(most > 1e6 && most <= f64::from(4 << 20), "{most}");
        requests
            .into_iter()
            .map(|request| request.join().unwrap())
            .filter(|&status| status == 503)
            .count()
    });
    assert_eq!(refused, 16, "nothing was confirmed");
    redis.resume();
    // Earlier events are in flight until Redis answers; then there is room again.
    eventually("there is room again", || identify(&app, &body) == 200);
    app.assert_at_rest();
}

#[test]
fn secrets_and_personal_data_are_never_said() {
    let redis = Redis::builder().password("canary-password").start();
    let url = format!("redis://:canary-password@127.0.0.1:{}", redis.port());
    let app = App::start(&url, &["http.write_keys=canary-key", "log.level=debug"]);
    app.wait_ready();
    redis.cli(&["SET", "user:canary-user", "a string"]);
    let authorization = ("authorization", "Basic Y2FuYXJ5LWtleTo=");
    let mut said = String::new();
    for body in [
        r#"{"userId":"canary-user","traits":{"canary-name":"canary-value"}}"#,
        r#"{"userId":"canary-user","traits":{"canary-name":"#,
        r#"{"userId":["canary-user"],"traits":{"a":{"canary-name":"canary-value"}}}"#,
    ] {
        let answer = app
            .client()
            .send("POST", "/v1/identify", &[authorization], body.as_bytes())
            .expect("an answer");
        said.push_str(&answer.text());
    }
    said.push_str(&app.client().post("/v1/identify", "{}").expect("an answer").text());
    assert_eq!(app.metric("traitsink_events_dead_lettered_total", "wrong_type"), 2.0);
    said.push_str(&app.metrics());
    app.wait_for_line("events that can never be written");
    said.push_str(&app.log().join("\n"));
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn every_series_is_there_from_the_start() {
    let redis = Redis::start();
    let text = start(&redis, &[]).metrics();
    for series in [
        "traitsink_events_received_total{source=\"http\"} 0",
        "traitsink_events_written_total{source=\"kafka\"} 0",
        "traitsink_events_failed_total{source=\"kafka\"} 0",
        "traitsink_events_in_flight{source=\"file\"} 0",
        "traitsink_events_skipped_total{reason=\"blank_user_id\",source=\"http\"} 0",
        "traitsink_events_rejected_total{reason=\"field_name_too_long\",source=\"http\"} 0",
        "traitsink_events_dead_lettered_total{reason=\"wrong_type\",source=\"http\"} 0",
        "traitsink_in_flight_bytes 0",
        "traitsink_updates_merged_total 0",
        "traitsink_batch_updates_count 0",
        "traitsink_redis_write_seconds_count 0",
        "traitsink_delivery_seconds_count{source=\"http\"} 0",
        "traitsink_freshness_seconds_count{source=\"http\"} 0",
        "traitsink_redis_errors_total{class=\"retry\",code=\"OOM\"} 0",
        "traitsink_http_requests_total{path=\"/v1/batch\",status=\"503\"} 0",
        "traitsink_tls_verify_disabled{client=\"redis\"} 0",
        "traitsink_ready 1",
    ] {
        assert!(text.lines().any(|line| line == series), "{series} is missing in\n{text}");
    }
    for start in [
        "traitsink_redis_up{",
        "traitsink_redis_reconnects_total{",
        "traitsink_build_info{",
        "process_cpu_seconds_total ",
    ] {
        assert!(text.lines().any(|line| line.starts_with(start)), "{start} is missing in\n{text}");
    }
}

#[test]
fn every_reason_is_counted_from_the_start() {
    let redis = Redis::start();
    let text = start(&redis, &[]).metrics();
    let skipped = [
        "not_identify",
        "no_type",
        "blank_user_id",
        "blank_group_id",
        "no_traits",
        "integration_off",
        "suppressed",
        "empty",
    ];
    let unreadable = ["invalid_json", "invalid_utf8", "not_an_object"];
    let limits =
        ["too_large", "too_deep", "too_many_fields", "key_too_long", "field_name_too_long"];
    let of_profiles = ["bad_prefix", "reserved_field", "bad_ttl", "no_document"];
    let rejected = [&unreadable[..], &limits, &of_profiles].concat();
    let dead_lettered = [&rejected[..], &["wrong_type", "refused"]].concat();
    for (outcome, reasons) in
        [("skipped", &skipped[..]), ("rejected", &rejected), ("dead_lettered", &dead_lettered)]
    {
        let start = format!("traitsink_events_{outcome}_total{{");
        for source in ["http", "kafka", "file"] {
            for reason in reasons {
                let series = format!("{start}reason=\"{reason}\",source=\"{source}\"}} 0");
                assert!(text.lines().any(|line| line == series), "{series} is missing in\n{text}");
            }
        }
        assert_eq!(
            text.lines().filter(|line| line.starts_with(&start)).count(),
            3 * reasons.len(),
            "{outcome}: a closed set"
        );
    }
}

#[test]
fn each_write_key_has_its_prefix() {
    let redis = Redis::start();
    let sources = r#"http.sources=[{name="a",write_key="key-a",prefix="team-a"},
        {name="b",write_key="key-b",prefix="team-b"}]"#;
    let app = start(&redis, &["http.write_keys=plain", "redis.prefix=all", sources]);
    let send = |key: &str, value: u32| {
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")));
        let body = format!(r#"{{"userId":"u","traits":{{"a":{value}}}}}"#);
        app.client()
            .send("POST", "/v1/identify", &[("authorization", &authorization)], body.as_bytes())
            .expect("an answer")
            .status
    };
    assert_eq!(
        [send("plain", 1), send("key-a", 2), send("key-b", 3), send("key-c", 4)],
        [200, 200, 200, 401]
    );
    for (key, value) in [("all:user:u", "1"), ("team-a:user:u", "2"), ("team-b:user:u", "3")] {
        assert_eq!(hash(&redis, key), pairs(&[("a", value)]), "{key}");
    }
    assert_eq!(redis.cli(&["DBSIZE"]), redis::Value::Int(3));
    app.assert_at_rest();
}

#[test]
fn a_stop_at_rest_is_a_success() {
    let redis = Redis::start();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut app = start(&redis, &["delivery.stop_grace=60s"]);
        assert_eq!(identify(&app, r#"{"userId":"u","traits":{"a":1}}"#), 200);
        app.signal(signal);
        // The limit is far below `delivery.stop_grace`, so the worker waits for nothing.
        assert_eq!(app.wait(Duration::from_secs(20)).code(), Some(0), "{signal}");
    }
}

#[test]
fn a_second_worker_on_the_port_names_the_option() {
    let redis = Redis::start();
    let app = start(&redis, &[]);
    let data = tempfile::tempdir().unwrap();
    let data_dir = format!("data_dir={}", data.path().display());
    for (option, taken, other) in
        [("http.listen", app.http, "admin.listen"), ("admin.listen", app.admin, "http.listen")]
    {
        let (taken, other) = (format!("{option}={taken}"), format!("{other}=127.0.0.1:0"));
        let output = run(&["-s", &data_dir, "-s", &taken, "-s", &other, "run"], b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(69), "{option}: {said}");
        assert!(said.contains(&format!("({option}): the port is in use")), "{said}");
    }
}

/// The program starts itself again to configure its allocator; a configuration that can be read
/// only once must survive that.
#[test]
fn a_configuration_from_a_pipe_is_read_once() {
    let redis = Redis::start();
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("traitsink.toml");
    harness::run("mkfifo", &["traitsink.toml"], dir.path());
    let text = format!(
        "redis.url = \"redis://127.0.0.1:{}\"\n[http]\nmax_body = \"1MiB\"\n",
        redis.port()
    );
    let path = fifo.clone();
    let writer = std::thread::spawn(move || std::fs::write(path, text));
    let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
    command.arg("-c").arg(&fifo);
    let app = App::start_command(command, &[]);
    writer.join().unwrap().unwrap();
    app.wait_ready();
    assert_eq!(
        app.client().post("/v1/identify", " ".repeat(2 << 20)).expect("an answer").status,
        413
    );
}
