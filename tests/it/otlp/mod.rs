//! Spans of requests, bursts, batches and writes, as a collector receives them. Only with the
//! feature `otlp`; `tests/run` builds that.

mod collector;

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use self::collector::Collector;
use crate::harness::app::App;
use crate::harness::certs::Authority;
use crate::harness::eventually;
use crate::harness::http::Response;
use crate::harness::redis::{Redis, free_port};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
/// Spans are sent this often, in milliseconds.
const SOON: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "100");

/// A worker with these variables, and none that a developer has set.
fn start(redis: &Redis, variables: &[(&str, &str)], settings: &[&str]) -> App {
    let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command.envs(variables.iter().copied());
    let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
    let app = App::start_command(command, &[&[url.as_str()], settings].concat());
    app.wait_ready();
    app
}

fn identify(app: &App, headers: &[(&str, &str)]) -> Response {
    let body = br#"{"type":"identify","userId":"secret-user","traits":{"secret_name":"secret"}}"#;
    app.client().send("POST", "/v1/identify?secret=1", headers, body).expect("an answer")
}

/// The batch that links to `span`, and its write to Redis.
fn followed(collector: &Collector, span: &Value) -> [Value; 2] {
    let link = json!([span["trace"], span["span"]]);
    let batch = collector.span("a batch of it", |batch| {
        batch["name"] == "batch" && batch["links"].as_array().unwrap().contains(&link)
    });
    let write = collector.span("a write of that batch", |write| write["parent"] == batch["span"]);
    assert_eq!(write["trace"], batch["trace"]);
    [batch, write]
}

#[test]
fn a_request_continues_its_trace_and_leads_to_redis() {
    let (redis, collector) = (Redis::start(), Collector::start(None));
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url("http")),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        SOON,
    ];
    let app = start(&redis, &variables, &["log.level=debug"]);
    let caller = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("traceparent", &*caller), ("tracestate", "a=secret"), ("cookie", "secret")];
    assert_eq!(identify(&app, &headers).status, 200);

    let request = collector.span("the request", |span| span["trace"] == TRACE);
    assert_eq!(
        (&request["parent"], &request["name"]),
        (&CALLER.into(), &"POST /v1/identify".into())
    );
    // A server's span.
    assert_eq!((&request["kind"], &request["error"]), (&2.into(), &false.into()));
    let attributes = json!({
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/identify",
        "url.scheme": "http",
    });
    assert_eq!(request["attributes"], attributes);

    let [batch, write] = followed(&collector, &request);
    let attributes = batch["attributes"].as_object().unwrap();
    assert_eq!(
        (&attributes["traitsink.events"], &attributes["traitsink.keys"]),
        (&1.into(), &1.into())
    );
    assert!(attributes["traitsink.lane"].as_u64().unwrap() < 4, "{batch}");
    // A client's span.
    assert_eq!(write["kind"], 3);
    let attributes = json!({
        "db.system.name": "redis",
        "db.operation.name": "HSET",
        "server.address": "127.0.0.1",
        "server.port": redis.port(),
    });
    assert_eq!(write["attributes"], attributes);

    let received = &collector.requests()[0];
    assert_eq!(received["headers"]["x-tenant"], "blue");
    assert_eq!(received["headers"]["content-encoding"], "gzip");
    assert_eq!(received["resource"]["service.name"], "traitsink");
    assert_eq!(received["resource"]["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(received["resource"]["deployment.environment.name"], "test");
    let bytes = collector.bytes();
    assert!(!bytes.windows(6).any(|part| part == b"secret"), "something of the event was sent");

    // The log is what it is without spans.
    let answered: Value = serde_json::from_str(&app.wait_for_line("\"answered\"")).unwrap();
    let names: Vec<&String> = answered.as_object().unwrap().keys().collect();
    assert_eq!(names, ["level", "message", "path", "status", "target", "timestamp"], "{answered}");
}

#[test]
fn what_fails_says_why() {
    let (redis, collector) = (Redis::start(), Collector::start(None));
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url("http")), SOON];
    let app = start(&redis, &variables, &["http.wait=300ms", "delivery.retry_max=100ms"]);
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(identify(&app, &[]).status, 503);
    let failed = |name: &'static str| {
        move |span: &Value| {
            span["error"] == true && span["name"].as_str().unwrap().starts_with(name)
        }
    };
    let request = collector.span("a request that failed", failed("POST"));
    assert_eq!(request["attributes"]["error.type"], "503");
    // Without a `traceparent` a trace begins.
    assert_eq!(request["parent"], "");
    for name in ["batch", "HSET"] {
        let span = collector.span("a write that failed", failed(name));
        assert_eq!(span["attributes"]["error.type"], "OOM", "{span}");
    }
    // A path that is no route is not said.
    let answer = app.client().post("/secret", "").expect("an answer");
    assert_eq!(answer.status, 404);
    let other = collector.span("a request to nowhere", |span| span["name"] == "POST");
    assert_eq!(
        (&other["attributes"]["http.route"], &other["error"]),
        (&Value::Null, &false.into())
    );
}

#[test]
fn many_requests_of_one_batch_are_linked_up_to_a_bound() {
    let (redis, collector) = (Redis::start(), Collector::start(None));
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url("http")), SOON];
    // All keys are in one lane, which holds them back until there are many.
    let app = start(&redis, &variables, &["delivery.lanes=1"]);
    redis.pause();
    let requests: Vec<_> = (0..50)
        .map(|_| {
            let mut client = app.client();
            std::thread::spawn(move || {
                let body = r#"{"type":"identify","userId":"u","traits":{"a":1}}"#;
                client.post("/v1/identify", body).expect("an answer").status
            })
        })
        .collect();
    eventually("they are in flight", || app.metric("traitsink_events_in_flight", "") == 50.0);
    redis.resume();
    assert!(requests.into_iter().all(|request| request.join().unwrap() == 200));
    let batch = collector.span("a full batch", |span| {
        span["name"] == "batch" && span["attributes"]["traitsink.events"].as_u64() > Some(32)
    });
    let links = batch["links"].as_array().unwrap();
    assert_eq!(links.len(), 32, "{batch}");
    assert!(links.iter().all(|link| links.iter().filter(|other| *other == link).count() == 1));
}

#[cfg(feature = "kafka")]
#[test]
fn a_burst_of_records_leads_to_redis() {
    use crate::harness::kafka::{Kafka, unique};
    use crate::harness::records::{value, write};
    use crate::kafka_source::wait_committed;

    let (kafka, redis, collector) = (Kafka::shared(), Redis::start(), Collector::start(None));
    let (topic, group) = (kafka.topic("spans", 1, &[]), unique("group"));
    let event = |user: &str| {
        format!(r#"{{"type":"identify","userId":"secret-{user}","traits":{{"secret":1}}}}"#)
    };
    let events: Vec<String> = ["a", "b", "c"].map(event).into();
    let records: Vec<_> = events.iter().map(|event| value(event.as_bytes())).collect();
    write(kafka, &topic, &records);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url("http")), SOON];
    let settings = [
        format!("kafka.bootstrap_servers={}", kafka.servers()),
        format!("kafka.topics={topic}"),
        format!("kafka.group_id={group}"),
        "kafka.commit_interval=200ms".to_owned(),
    ];
    let app = start(&redis, &variables, &settings.each_ref().map(String::as_str));
    wait_committed(kafka, &group, &topic);
    let burst = collector.span("a burst", |span| span["name"] == "poll");
    assert_eq!((&burst["kind"], &burst["parent"]), (&3.into(), &"".into()));
    let mut attributes = burst["attributes"].clone();
    let count = attributes["messaging.batch.message_count"].take();
    assert!((1..=3).contains(&count.as_u64().unwrap()), "{burst}");
    let expected = json!({
        "messaging.batch.message_count": null,
        "messaging.consumer.group.name": group,
        "messaging.operation.name": "poll",
        "messaging.operation.type": "receive",
        "messaging.system": "kafka",
    });
    assert_eq!(attributes, expected);
    followed(&collector, &burst);
    let bytes = collector.bytes();
    assert!(!bytes.windows(6).any(|part| part == b"secret"), "something of the event was sent");
    drop(app);
}

#[test]
fn a_stop_sends_the_last_spans() {
    let (redis, authority) = (Redis::start(), Authority::new("collectors"));
    let collector = Collector::start(Some(&authority.server(&["127.0.0.1"])));
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*format!("{}/v1/traces", collector.url("https"))),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &*authority.ca_file().display().to_string()),
        ("OTEL_SERVICE_NAME", "profiles"),
        // Longer than the test.
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
    ];
    let mut app = start(&redis, &variables, &[]);
    assert_eq!(identify(&app, &[]).status, 200);
    assert_eq!(collector.requests(), [Value::Null; 0]);
    app.signal(Signal::SIGTERM);
    let status = app.wait(Duration::from_secs(20));
    assert!(status.success(), "{status}\n{}", app.log().join("\n"));
    let request = collector.span("the request", |span| span["name"] == "POST /v1/identify");
    followed(&collector, &request);
    assert_eq!(collector.requests()[0]["resource"]["service.name"], "profiles");
}

#[test]
fn a_collector_that_is_away_or_silent_costs_nothing() {
    // Connections are taken by the kernel, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    for port in [free_port(), silent.local_addr().expect("bound").port()] {
        let redis = Redis::start();
        let endpoint = format!("http://127.0.0.1:{port}");
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "300"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8"),
            SOON,
        ];
        let mut app = start(&redis, &variables, &[]);
        // More spans than may wait.
        assert!((0..50).all(|_| identify(&app, &[]).status == 200));
        let line = app.wait_for_line("spans cannot be sent");
        assert!(line.contains(&format!("127.0.0.1:{port}")), "{line}");
        assert!((0..50).all(|_| identify(&app, &[]).status == 200));
        app.assert_at_rest();
        app.signal(Signal::SIGTERM);
        let asked = Instant::now();
        let status = app.wait(Duration::from_secs(20));
        assert!(status.success(), "{status}\n{}", app.log().join("\n"));
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        let lines = app.log().iter().filter(|line| line.contains("spans cannot")).count();
        assert_eq!(lines, 1, "{}", app.log().join("\n"));
    }
}

#[test]
fn nothing_is_sent_when_that_is_said_or_cannot_be() {
    let (redis, collector) = (Redis::start(), Collector::start(None));
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url("http"));
    for (variable, words) in [
        (("OTEL_SDK_DISABLED", "true"), None),
        (("OTEL_TRACES_SAMPLER", "always_off"), None),
        (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), Some("OTEL_EXPORTER_OTLP_PROTOCOL knows only")),
        (("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "nowhere"), Some("must be a URL")),
    ] {
        let mut app = start(&redis, &[endpoint, variable], &[]);
        assert_eq!(identify(&app, &[]).status, 200);
        app.signal(Signal::SIGTERM);
        assert!(app.wait(Duration::from_secs(20)).success());
        let warned = app.log().into_iter().find(|line| line.contains("no spans are sent"));
        assert_eq!(warned.is_some(), words.is_some(), "{variable:?}: {warned:?}");
        assert!(words.is_none_or(|words| warned.unwrap().contains(words)));
    }
    assert_eq!(collector.requests(), [Value::Null; 0]);
}
