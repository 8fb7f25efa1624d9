//! `/api/status` of a real worker: what it says under load and in trouble, and what it never says.

use jiff::Timestamp;
use traitsink::status::{NodeReport, RejectionReport, StatusReport};

use crate::harness::app::{App, run};
use crate::harness::eventually;
use crate::harness::http::{Client, Response};
use crate::harness::load::{Load, OnError};
use crate::harness::redis::Redis;
use crate::worker::{identify, start};

fn answer(app: &App) -> Response {
    Client::new(app.admin).get("/api/status").expect("an answer")
}

fn report(app: &App) -> StatusReport {
    let answer = answer(app);
    assert_eq!(answer.status, 200);
    serde_json::from_slice(&answer.body).expect("the document of /api/status")
}

/// The nodes of a report whose only source of trouble is time.
fn only_node(report: &StatusReport) -> &NodeReport {
    assert_eq!(report.redis.nodes.len(), 1, "{:?}", report.redis.nodes);
    &report.redis.nodes[0]
}

/// What the log says of the key of a dead letter.
fn logged_key(app: &App) -> String {
    let line = app.wait_for_line("events that can never be written");
    let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    line["key"].as_str().expect("a text").to_owned()
}

#[test]
fn a_worker_at_rest_tells_what_it_is() {
    let redis = Redis::start();
    let before = Timestamp::now();
    let app = start(&redis, &["delivery.lanes=3"]);
    let answer = answer(&app);
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    let report = report(&app);
    assert_eq!(report.version, env!("CARGO_PKG_VERSION"));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    assert_eq!(report.host, host.trim());
    assert!(before <= report.started && report.started <= report.now, "{report:?}");
    assert!(report.now <= Timestamp::now());
    assert!(report.ready && report.waiting_for.is_empty(), "{:?}", report.waiting_for);
    let sources: Vec<&str> = report.sources.iter().map(|source| source.source.as_str()).collect();
    assert_eq!(sources, ["http"], "the only source that is configured");
    assert_eq!(report.lanes.len(), 3);
    for (number, lane) in report.lanes.iter().enumerate() {
        let state = (lane.lane, lane.state.as_str(), &lane.reason, lane.queued_events);
        assert_eq!(state, (number, "up", &None, 0));
    }
    assert_eq!(report.redis.mode, "standalone");
    let node = only_node(&report);
    assert_eq!((node.node.as_str(), node.role.as_str()), (&*place(&redis), "primary"));
    assert!(node.up && node.last_error.is_none(), "{node:?}");
    assert_eq!(report.kafka, None);
    assert_eq!((report.memory.in_flight_bytes, report.memory.max_in_flight_bytes), (0, 32 << 20));
    assert!((1 << 20..256 << 20).contains(&report.memory.resident_bytes), "{:?}", report.memory);
    let letters = &report.dead_letters;
    let file = app.dead_letter_file().display().to_string();
    assert_eq!((letters.to.as_str(), letters.place.as_deref()), ("file", Some(file.as_str())));
    assert_eq!((letters.bytes, letters.max_bytes), (Some(0), Some(1 << 30)));
    assert_eq!((report.rejections, report.certificates), (Vec::new(), Vec::new()));
    assert!(!report.profile_lookup);
    assert_eq!(report.history.step_seconds, 2);
    for method in ["POST", "DELETE"] {
        let refused = Client::new(app.admin).send(method, "/api/status", &[], b"").unwrap();
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET,HEAD")));
    }
}

fn place(redis: &Redis) -> String {
    format!("127.0.0.1:{}", redis.port())
}

#[test]
fn load_is_seen_in_counts_and_in_the_history() {
    let redis = Redis::start();
    let app = start(&redis, &[]);
    let load = Load::start(app.http, 4, 20, OnError::Retry);
    let last = |values: &[f64]| values.last().copied().unwrap_or_default();
    eventually("two steps with load", || {
        let history = report(&app).history;
        let received = &history.received_per_second;
        received.len() >= 2 && received[received.len() - 2..].iter().all(|rate| *rate > 0.0)
    });
    let history = report(&app).history;
    assert!(last(&history.written_per_second) > 0.0, "{history:?}");
    let lengths = [
        history.received_per_second.len(),
        history.written_per_second.len(),
        history.freshness_p50_seconds.len(),
        history.freshness_p99_seconds.len(),
    ];
    assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
    load.stop();
    app.assert_at_rest();
    let event = r#"{"userId":"t","traits":{"a":1},"timestamp":"2020-01-01T00:00:00Z"}"#;
    assert_eq!(identify(&app, event), 200);
    eventually("the freshness of an old event", || {
        let history = report(&app).history;
        // Two days or older: the last finite bound.
        history.freshness_p50_seconds.contains(&Some(86_400.0))
            && history.freshness_p99_seconds.contains(&Some(86_400.0))
    });
    let report = report(&app);
    let source = &report.sources[0];
    assert_eq!(source.received, source.written);
    assert_eq!(source.written as f64, app.metric("traitsink_events_written_total", ""));
    assert_eq!((source.failed, source.in_flight), (0, 0));
}

#[test]
fn rejections_are_told_and_forgotten_in_turn() {
    let redis = Redis::start();
    let app = start(&redis, &["transform.max_event=2KiB"]);
    let large = format!(r#"{{"userId":"u","traits":{{"a":"{}"}}}}"#, "x".repeat(3000));
    for (body, status) in [("{", 400), ("[]", 400), (&large, 413)] {
        assert_eq!(identify(&app, body), status, "{status}");
    }
    let seen = report(&app);
    let shown = |one: &RejectionReport| {
        let RejectionReport { source, outcome, reason, user, .. } = one.clone();
        (source, outcome, reason, user)
    };
    let rejected = |reason: &str| ("http".into(), "rejected".into(), reason.to_owned(), None);
    assert_eq!(
        seen.rejections.iter().map(shown).collect::<Vec<_>>(),
        [rejected("too_large"), rejected("not_an_object"), rejected("invalid_json")]
    );
    assert!(seen.rejections.iter().all(|one| seen.started <= one.at && one.at <= seen.now));
    let by_reason = &seen.sources[0].rejected;
    assert_eq!((by_reason.len(), by_reason["too_large"]), (3, 1));

    let bad = r#"{"type":"identify","userId":7,"traits":"#;
    for _ in 0..200 {
        assert_eq!(identify(&app, bad), 400);
    }
    let seen = report(&app);
    assert_eq!(seen.rejections.len(), 50);
    assert!(seen.rejections.iter().all(|one| one.reason == "invalid_json"));
    assert_eq!(seen.sources[0].rejected["invalid_json"], 201);
}

#[test]
fn a_dead_letter_has_the_hash_that_the_log_has() {
    let redis = Redis::start();
    redis.cli(&["SET", "team:user:someone", "text"]);
    let app = start(&redis, &["redis.prefix=team"]);
    let event = r#"{"userId":"someone","traits":{"a":1}}"#;
    assert_eq!(identify(&app, event), 200);
    let seen = report(&app);
    let one = &seen.rejections[0];
    let told = (one.source.as_str(), one.outcome.as_str(), one.reason.as_str());
    assert_eq!(told, ("http", "dead_lettered", "wrong_type"));
    assert_eq!(one.user.as_deref(), Some(logged_key(&app).as_str()));
    assert_eq!(seen.sources[0].dead_lettered["wrong_type"], 1);
    let size = std::fs::metadata(app.dead_letter_file()).expect("the file").len();
    assert!(size > 0);
    assert_eq!(seen.dead_letters.bytes, Some(size));
    let error = only_node(&seen).last_error.clone().expect("WRONGTYPE");
    assert_eq!((error.class.as_str(), error.code.as_str()), ("refused", "WRONGTYPE"));
    std::fs::remove_file(app.dead_letter_file()).expect("the file");
    assert_eq!(report(&app).dead_letters.bytes, Some(0));
}

#[test]
fn ids_are_hashed_even_where_the_log_shows_them() {
    let redis = Redis::start();
    redis.cli(&["SET", "user:someone", "text"]);
    let app = start(&redis, &["log.user_ids=plain"]);
    assert_eq!(identify(&app, r#"{"userId":"someone","traits":{"a":1}}"#), 200);
    assert_eq!(logged_key(&app), "user:someone");
    let user = report(&app).rejections[0].user.clone().expect("a hash");
    assert!(user.len() == 16 && user.bytes().all(|byte| byte.is_ascii_hexdigit()), "{user}");
    assert!(!answer(&app).text().contains("someone"));
}

#[test]
fn redis_that_stops_is_seen_in_its_node_and_in_the_lanes() {
    let mut redis = Redis::start();
    let app = start(&redis, &["http.wait=200ms"]);
    redis.kill();
    eventually("the worker notices", || !report(&app).ready);
    eventually("every lane is in trouble", || {
        report(&app).lanes.iter().all(|lane| lane.state == "trouble")
    });
    let seen = report(&app);
    assert_eq!(seen.waiting_for.len(), 1);
    assert_eq!(seen.waiting_for[0].part, "redis");
    assert!(seen.lanes.iter().all(|lane| lane.reason.is_some()), "{:?}", seen.lanes);
    let node = only_node(&seen);
    assert!(!node.up);
    let error = node.last_error.as_ref().expect("an error");
    assert_eq!((error.class.as_str(), error.code.as_str()), ("reconnect", "NONE"));
    assert!(seen.started <= error.at && error.at <= seen.now, "{error:?}");
    assert!(!error.message.is_empty());

    redis.restart();
    app.wait_ready();
    let seen = report(&app);
    assert!(seen.ready && only_node(&seen).up);
    assert!(only_node(&seen).last_error.is_some(), "it stays, with its time");
    eventually("connections are made again", || only_node(&report(&app)).reconnects > 0);
}

#[test]
fn events_that_wait_are_seen_in_their_lane() {
    let redis = Redis::start();
    let app = start(&redis, &["delivery.lanes=1", "redis.response_timeout=60s", "http.wait=60s"]);
    redis.pause();
    let waiting = std::thread::scope(|scope| {
        for user in 0..3 {
            let app = &app;
            scope.spawn(move || {
                identify(app, &format!(r#"{{"userId":"{user}","traits":{{"a":1}}}}"#))
            });
        }
        eventually("three events are in flight", || report(&app).sources[0].in_flight == 3);
        let seen = report(&app);
        redis.resume();
        seen
    });
    let lane = &waiting.lanes[0];
    // The first batch is being written; what came later waits behind it.
    assert!(lane.queued_events <= 2 && lane.queued_bytes > 0, "{lane:?}");
    assert!(waiting.memory.in_flight_bytes >= lane.queued_bytes, "{waiting:?}");
    app.assert_at_rest();
    assert_eq!(report(&app).lanes[0].queued_bytes, 0);
}

#[test]
fn no_secret_and_no_id_is_in_it() {
    let redis = Redis::builder().password("hidden-password").start();
    let dir = tempfile::tempdir().expect("a directory");
    let token = dir.path().join("token");
    std::fs::write(&token, "hidden-token\n").expect("a file");
    let token = format!("admin.token_file={}", token.display());
    let settings = [
        "redis.password=hidden-password",
        "http.write_keys=hidden-key",
        "http.sources=[{name=\"app\",write_key=\"hidden-second-key\"}]",
        "admin.profile_lookup=true",
        &token,
    ];
    let app = start(&redis, &settings);
    let credentials = base64_of("hidden-key:");
    let send = |body: &str| {
        let headers = [("authorization", credentials.as_str())];
        app.client().send("POST", "/v1/identify", &headers, body.as_bytes()).unwrap().status
    };
    redis.cli(&["SET", "user:hidden-user", "text"]);
    assert_eq!(send(r#"{"userId":"hidden-user","traits":{"a":"hidden-value"}}"#), 200);
    assert_eq!(send(r#"{"userId":"hidden-user","traits":"#), 400);
    let answer = answer(&app).text();
    assert!(answer.contains("wrong_type") && answer.contains("invalid_json"), "{answer}");
    assert!(!answer.contains("hidden"), "{answer}");

    let seen = report(&app);
    assert!(seen.profile_lookup);
    let shown = shown(&app, &redis, &settings);
    assert_eq!(seen.config, shown, "as `config show` prints it");
    assert!(seen.config.contains("***"));
}

fn base64_of(credentials: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(credentials))
}

/// What `config show` prints for the settings of `app`.
fn shown(app: &App, redis: &Redis, settings: &[&str]) -> String {
    let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
    let data = format!("data_dir={}", app.data_dir().display());
    let mut args = vec!["--log-format", "json"];
    let fixed = ["http.listen=127.0.0.1:0", "admin.listen=127.0.0.1:0", &data, &url];
    args.extend(fixed.iter().chain(settings).flat_map(|setting| ["-s", *setting]));
    args.extend(["config", "show"]);
    let output = run(&args, b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("TOML")
}
