//! The HTTP source while Redis, memory or the client itself is slow.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::harness::app::App;
use crate::harness::redis::Redis;
use crate::harness::{eventually, let_pass};
use crate::http_corpus::profiles;
use crate::raw_http::{RawClient, RawResponse};

/// A worker that is ready, and its Redis.
pub(crate) fn start(settings: &[&str]) -> (Redis, App) {
    let redis = Redis::start();
    let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), settings);
    app.wait_ready();
    (redis, app)
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn send(address: SocketAddr, request: &str) -> RawResponse {
    let mut client = RawClient::connect(address);
    client.send(request);
    client.response().expect("an answer")
}

fn identify(app: &App, user: &str, traits: &str) -> RawResponse {
    send(app.http, &post("/v1/identify", &format!(r#"{{"userId":"{user}","traits":{traits}}}"#)))
}

fn assert_problem(response: &RawResponse, status: u16, code: &str, retry_after: Option<&str>) {
    assert_eq!(
        (response.status, response.json()["code"].as_str()),
        (status, Some(code)),
        "{response:?}"
    );
    assert_eq!(response.header("retry-after"), retry_after);
}

/// The number of HTTP events with this outcome.
fn events(app: &App, outcome: &str) -> f64 {
    app.metric(&format!("traitsink_events_{outcome}_total"), r#"source="http""#)
}

#[test]
fn what_was_not_sent_at_the_deadline_is_taken_back() {
    // `http.wait` is long enough to send a write, and shorter than `redis.response_timeout`.
    let (redis, app) = start(&["http.wait=1s", "redis.response_timeout=60s"]);
    assert_eq!(identify(&app, "u1", r#"{"first":1}"#).status, 200);
    redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"]);
    assert_problem(&identify(&app, "u1", r#"{"sent":1,"last":"sent"}"#), 503, "late", Some("5"));
    // The lane has one write in flight, so this update waits in its queue.
    assert_problem(
        &identify(&app, "u1", r#"{"waiting":1,"last":"waiting"}"#),
        503,
        "late",
        Some("5"),
    );
    redis.cli(&["CLIENT", "UNPAUSE"]);
    assert_eq!(identify(&app, "u1", r#"{"after":1}"#).status, 200);

    let profile = profiles(&redis).remove("user:u1").expect("the profile is written");
    let fields: Vec<&str> = profile.keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        ["after", "first", "last", "sent"],
        "the write in flight kept its own outcome"
    );
    assert_eq!(profile["last"], "sent");
    assert_eq!(
        ["received", "written", "failed"].map(|outcome| events(&app, outcome)),
        [4.0, 3.0, 1.0]
    );
    app.assert_at_rest();
}

#[test]
fn a_redis_that_is_down_is_said_at_once() {
    let (mut redis, app) = start(&["http.wait=1s"]);
    redis.kill();
    // The first requests find out that Redis is down, and wait for their deadline.
    eventually("Redis is known to be down", || {
        identify(&app, "u1", r#"{"a":1}"#).json()["code"] != "late"
    });
    assert_problem(&identify(&app, "u1", r#"{"a":1}"#), 503, "redis_down", Some("5"));
    let skipped = send(app.http, &post("/v1/track", r#"{"userId":"u1"}"#));
    assert_eq!(skipped.status, 200, "a skipped event needs no Redis");
    redis.restart();
    app.wait_ready();
    assert_eq!(identify(&app, "u1", r#"{"a":1}"#).status, 200);
    app.assert_at_rest();
}

#[test]
fn a_key_of_another_type_costs_only_itself() {
    let (redis, app) = start(&[]);
    redis.cli(&["SET", "user:string", "x"]);
    assert_eq!(identify(&app, "string", r#"{"a":1}"#).status, 200);
    let event =
        |user: &str| format!(r#"{{"type":"identify","userId":"{user}","traits":{{"a":1}}}}"#);
    let batch = format!(r#"{{"batch":[{},{},{}]}}"#, event("u1"), event("string"), event("u2"));
    assert_eq!(send(app.http, &post("/v1/batch", &batch)).status, 200);
    redis.cli(&["DEL", "user:string"]);
    assert_eq!(profiles(&redis).into_keys().collect::<Vec<_>>(), ["user:u1", "user:u2"]);
    assert_eq!(
        ["received", "written", "dead_lettered"].map(|outcome| events(&app, outcome)),
        [4.0, 2.0, 2.0]
    );
    assert_eq!(app.dead_letters().len(), 2);
    app.assert_at_rest();
}

#[test]
fn a_body_counts_while_it_is_read_and_gives_way_while_it_is_silent() {
    let (_redis, app) =
        start(&["http.max_body=1MiB", "delivery.max_in_flight=1MiB", "delivery.lanes=1"]);
    let event = r#"{"userId":"u1","traits":{"a":1}}"#;
    let body = |size: usize| format!("{event}{}", " ".repeat(size - event.len()));
    let request = |size: usize| post("/v1/identify", &body(size));
    let request_in_two = request(700_000);
    let (most, rest) = request_in_two.split_at(600_000);
    let mut slow = RawClient::connect(app.http);
    slow.send(most);
    eventually("most of the body is held", || {
        app.metric("traitsink_in_flight_bytes", "") > 590_000.0
    });
    assert_eq!(send(app.http, &request(100)).status, 200, "a small body still fits");
    slow.send(rest);
    assert_eq!(slow.response().expect("an answer").status, 200);

    let mut silent = RawClient::connect(app.http);
    silent.send(most);
    eventually("most of the body is held", || {
        app.metric("traitsink_in_flight_bytes", "") > 590_000.0
    });
    let_pass(Duration::from_millis(50));
    assert_eq!(
        send(app.http, &request(500_000)).status,
        200,
        "a client that sends does not wait for a silent one"
    );
    let refused = silent.response().expect("an answer");
    assert_problem(&refused, 503, "body_gave_way", Some("1"));
    assert_eq!(refused.header("connection"), Some("close"));
    app.assert_at_rest();
}

/// Promise 3: the body is a list of tiny elements without an end, so no event is delivered.
#[test]
fn millions_of_elements_take_no_more_memory_than_their_text() {
    let (_redis, app) = start(&[]);
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", app.pid()))
            .expect("the worker runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") >> 10
    };
    let send_all_of = |element: &str| {
        let body = format!("{{\"batch\":[{}", element.repeat((8 << 20) / element.len() - 10));
        assert_problem(&send(app.http, &post("/v1/batch", &body)), 400, "invalid_json", None);
    };
    // First, the memory for bodies of this size alone.
    (0..5).for_each(|_| send_all_of("        "));
    let before = peak();
    ["{},", "0,", "\"\\ud800\",", "[[],[", "{}"].into_iter().for_each(send_all_of);
    let grown = peak() - before;
    assert!(grown < 40, "{grown} MiB more than before");
}

#[test]
fn a_body_that_drips_is_given_up() {
    let (_redis, app) = start(&["http.body_timeout=500ms"]);
    let mut client = RawClient::connect(app.http);
    client.send("POST /v1/identify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{");
    let mut drops = 0;
    while client.is_silent_for(Duration::from_millis(20)) {
        client.send(" ");
        drops += 1;
        assert!(drops < 1000, "the body may drip for too long");
    }
    let response = client.response().expect("an answer");
    assert_problem(&response, 408, "body_timeout", None);
    assert_eq!(response.header("connection"), Some("close"));
    client.wait_closed();
    app.assert_at_rest();
}

#[test]
fn a_client_that_leaves_takes_its_events_along() {
    let (redis, app) = start(&["http.wait=600s", "redis.response_timeout=60s"]);
    redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"]);
    let clients: Vec<RawClient> = (1..=2)
        .map(|n| {
            let mut client = RawClient::connect(app.http);
            client
                .send(post("/v1/identify", &format!(r#"{{"userId":"u1","traits":{{"n{n}":1}}}}"#)));
            let in_flight = || app.metric("traitsink_events_in_flight", r#"source="http""#);
            eventually("the event is in flight", || in_flight() == f64::from(n));
            client
        })
        .collect();
    drop(clients);
    // From outside nothing shows when the worker has noticed that the clients left.
    let_pass(Duration::from_millis(500));
    redis.cli(&["CLIENT", "UNPAUSE"]);
    app.assert_at_rest();
    let fields: Vec<String> =
        profiles(&redis).remove("user:u1").unwrap_or_default().into_keys().collect();
    assert_eq!(fields, ["n1"], "only the write in flight is done");
    assert_eq!(events(&app, "failed"), 1.0);
}

#[test]
fn every_answer_is_counted() {
    let (_redis, app) = start(&[]);
    let count = |path: &str, status: u16| {
        app.metric("traitsink_http_requests_total", &format!(r#"path="{path}",status="{status}""#))
    };
    let rows = [
        ("/v1/identify", 200, r#"{"userId":"u1","traits":{"a":1}}"#),
        ("/v1/batch", 400, r#"{"batch":[]}"#),
        ("/v1/alias", 400, ""),
    ];
    for (path, status, body) in rows {
        assert_eq!(send(app.http, &post(path, body)).status, status);
        assert_eq!(count(path, status), 1.0, "{path}");
    }
    assert_eq!(send(app.http, &post("/v1/secret/u1", "")).status, 404);
    assert_eq!(count("other", 404), 1.0);
    assert_eq!(send(app.http, "GET /v1/track HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 405);
    assert_eq!(count("/v1/track", 405), 1.0);
}

#[test]
fn a_worker_without_descriptors_recovers() {
    let (_redis, app) = start(&[]);
    // The present number of descriptors and a few more: the other connections wait in the kernel.
    let limit = (open_files(app.pid()) + 10).to_string();
    let done = std::process::Command::new("prlimit")
        .args(["--pid", &app.pid().to_string(), &format!("--nofile={limit}:{limit}")])
        .status();
    assert!(done.expect("prlimit is part of util-linux").success());
    let connections: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(app.http).expect("the kernel accepts")).collect();
    eventually("its descriptors run out", || {
        app.log().iter().any(|line| line.contains("cannot accept"))
    });
    let before = cpu_ticks(app.pid());
    let_pass(Duration::from_secs(1));
    let spent = cpu_ticks(app.pid()) - before;
    assert!(spent < 50, "{spent} of 100 ticks: the worker spins");
    drop(connections);
    assert_eq!(identify(&app, "u1", r#"{"a":1}"#).status, 200);
}

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a running process").count()
}

/// User and system time of the process so far, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    let (_, after_name) = stat.rsplit_once(") ").expect("a name in parentheses");
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}
