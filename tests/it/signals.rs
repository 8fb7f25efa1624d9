//! SIGHUP ends no command of the program.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::app::App;
use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::redis::{Redis, free_port};

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).expect("own child");
}

const FREE_PORTS: [&str; 4] =
    ["-s", "admin.listen=127.0.0.1:0", "-s", "redis.embedded.listen=127.0.0.1:0"];

#[test]
fn run_survives_a_hangup() {
    let redis = Redis::start();
    let mut app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), &[]);
    app.wait_ready();
    for count in 1..=3 {
        app.signal(Signal::SIGHUP);
        eventually("each is logged", || {
            app.log().iter().filter(|line| line.contains("SIGHUP")).count() == count
        });
    }
    let event = r#"{"userId":"u","traits":{"a":1}}"#;
    assert_eq!(app.client().post("/v1/identify", event).expect("an answer").status, 200);
    app.signal(Signal::SIGTERM);
    assert_eq!(app.wait(Duration::from_secs(20)).code(), Some(0));
}

#[test]
fn replay_survives_a_hangup() {
    let (redis, data) = (Redis::start(), tempfile::tempdir().unwrap());
    let settings = [
        format!("redis.url=redis://127.0.0.1:{}", redis.port()),
        format!("data_dir={}", data.path().display()),
    ];
    let mut child = Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args(["-s", &settings[0], "-s", &settings[1], "replay", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut send = |user: &str| {
        writeln!(stdin, r#"{{"type":"identify","userId":"{user}","traits":{{"a":1}}}}"#).unwrap()
    };
    send("u1");
    eventually("the first event is written", || !redis.hgetall("user:u1").is_empty());
    signal(&child, Signal::SIGHUP);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("SIGHUP")));
    send("u2");
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert!(!redis.hgetall("user:u2").is_empty());
}

#[test]
fn demo_survives_a_hangup() {
    let address = format!("127.0.0.1:{}", free_port());
    let mut child = Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args(FREE_PORTS)
        .args(["-s", &format!("http.listen={address}"), "-s", "log.level=info", "demo"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(stdout.any(|line| line.contains("curl http://")), "the last line");
    signal(&child, Signal::SIGHUP);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("SIGHUP")));
    assert_eq!(
        Client::new(address.parse().unwrap()).get("/v1/identify").expect("an answer").status,
        405
    );
    signal(&child, Signal::SIGINT);
    assert!(child.wait().unwrap().success());
}
