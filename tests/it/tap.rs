//! `traitsink tap` and `/api/tap` of a real worker; `top` without a terminal.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::app::{App, run};
use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::redis::Redis;

const EVENT: &str = r#"{"userId":"u1","traits":{"plan":"secret-plan"}}"#;

fn worker(settings: &[&str]) -> (Redis, App) {
    let redis = Redis::start();
    let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), settings);
    app.wait_ready();
    (redis, app)
}

fn tap(app: &App, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .arg("tap")
        .args(args)
        .arg(app.admin.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// What a tap prints of `EVENT`, one line, sent again until the tap ends.
fn tapped(app: &App) -> Value {
    let mut child = tap(app, &["--limit", "1"]);
    let mut client = app.client();
    eventually("the tap shows one event and ends", || {
        assert_eq!(client.post("/v1/identify", EVENT).expect("an answer").status, 200);
        child.try_wait().expect("own child").is_some()
    });
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).expect("a line of JSON")
}

#[test]
fn values_are_hidden_and_the_user_is_hashed() {
    let (_redis, app) = worker(&[]);
    let line = tapped(&app);
    assert_eq!(line["source"], "http");
    // printf user:u1 | sha256sum
    assert_eq!(line["user"], "6daf61bb15aa1c6e");
    assert_eq!(line["fields"]["plan"], "***");
    assert!(line["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert!(!line.to_string().contains("u1\"") && !line.to_string().contains("secret"), "{line}");
}

#[test]
fn a_full_tap_shows_keys_and_values() {
    let (_redis, app) = worker(&["admin.tap=full"]);
    let line = tapped(&app);
    assert_eq!((&line["key"], &line["fields"]["plan"]), (&"user:u1".into(), &"secret-plan".into()));
}

#[test]
fn a_tap_that_is_off_says_how_to_turn_it_on() {
    let (_redis, app) = worker(&["admin.tap=off"]);
    assert_eq!(Client::new(app.admin).get("/api/tap").expect("an answer").status, 404);
    let output = tap(&app, &[]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("admin.tap = \"redacted\""), "{said}");
}

#[test]
fn a_tap_ends_with_its_worker() {
    let (_redis, mut app) = worker(&[]);
    let mut child = tap(&app, &[]);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut client = app.client();
    let seen = std::thread::spawn(move || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        (line, lines)
    });
    eventually("the tap shows something", || {
        assert_eq!(client.post("/v1/identify", EVENT).expect("an answer").status, 200);
        seen.is_finished()
    });
    app.signal(Signal::SIGTERM);
    assert_eq!(app.wait(std::time::Duration::from_secs(20)).code(), Some(0));
    let (_, mut lines) = seen.join().unwrap();
    lines.read_to_end(&mut Vec::new()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("the worker has stopped"), "{said}");
}

#[test]
fn a_reader_that_stands_still_does_not_hold_up_the_worker() {
    let (_redis, app) = worker(&[]);
    let mut child = tap(&app, &[]);
    let mut client = app.client();
    let batch = format!("{{\"batch\":[{}]}}", vec![event_of_many_fields(); 100].join(","));
    // Nobody reads the pipe.
    for _ in 0..100 {
        assert_eq!(client.post("/v1/batch", &batch).expect("an answer").status, 200);
    }
    app.assert_at_rest();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_reader_that_leaves_ends_the_tap() {
    let (_redis, app) = worker(&[]);
    let mut child = tap(&app, &[]);
    drop(child.stdout.take());
    let mut client = app.client();
    eventually("the tap ends", || {
        assert_eq!(client.post("/v1/identify", EVENT).expect("an answer").status, 200);
        child.try_wait().unwrap().is_some()
    });
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn event_of_many_fields() -> String {
    let fields: Vec<String> = (0..200).map(|n| format!("\"field_{n}\":{n}")).collect();
    format!(r#"{{"type":"identify","userId":"u2","traits":{{{}}}}}"#, fields.join(","))
}

#[test]
fn nobody_there_and_no_terminal_are_told() {
    let closed = format!("127.0.0.1:{}", crate::harness::redis::free_port());
    let output = run(&["tap", &closed], b"");
    assert_eq!(output.status.code(), Some(69));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot connect"));
    let output = run(&["top", &closed], b"");
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8(output.stderr).unwrap().contains("needs a terminal"));
    for verb in ["tap", "top"] {
        assert_eq!(run(&[verb, "ftp://a"], b"").status.code(), Some(64));
    }
}
