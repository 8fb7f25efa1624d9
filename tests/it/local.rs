//! A server that is started, and ends, with the worker.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::Commands;
use tempfile::TempDir;

use crate::faults::{load_of, progress};
use crate::harness::app::{App, run};
use crate::harness::load::{OnError, User, check_users};
use crate::harness::matrix::play;
use crate::harness::redis::{Redis, free_port};
use crate::harness::{eventually, guide};

/// The server of a worker; outlives it where that is killed, as it is at the end of a test, and ends when dropped.
struct Server {
    port: u16,
    data: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).expect("a valid URL");
        let Ok(mut connection) = client.get_connection_with_timeout(Duration::from_secs(5)) else { return };
        // The port may be another test's by now.
        let directory: redis::RedisResult<Vec<String>> = redis::cmd("CONFIG").arg("GET").arg("dir").query(&mut connection);
        if directory.is_ok_and(|pair| pair.iter().any(|text| Path::new(text) == self.data)) {
            let _closed = redis::cmd("SHUTDOWN").exec(&mut connection);
        }
    }
}

/// A process that is stopped until this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn new(pid: Pid) -> Self {
        kill(pid, Signal::SIGSTOP).expect("a process");
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _gone = kill(self.0, Signal::SIGCONT);
    }
}

/// A worker, and its server that keeps its data in `data`: the worker is dropped first.
fn worker(data: &Path, more: &[&str]) -> (Server, App) {
    let data_dir = format!("redis.local.data_dir={}", data.display());
    let mut app = App::start_with(&[&["redis.mode=local", &data_dir], more].concat());
    let port = app.listening("redis").port();
    (Server { port, data: data.canonicalize().unwrap() }, app)
}

fn connection(port: u16) -> redis::Connection {
    redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap().get_connection().expect("the server answers")
}

/// Of the server, not of the worker.
fn pid(port: u16) -> Pid {
    let info: String = redis::cmd("INFO").arg("server").query(&mut connection(port)).unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).expect("a process id");
    Pid::from_raw(pid.trim().parse().unwrap())
}

fn is_there(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn check(port: u16, users: &BTreeMap<String, User>) {
    check_users(users, |key| connection(port).hgetall(key).unwrap());
}

#[test]
fn the_examples_of_the_guide_are_written() {
    for protocol in ["redis.protocol=2", "redis.protocol=3"] {
        let data = TempDir::new().unwrap();
        let (server, app) = worker(data.path(), &[&guide::WRITE_KEYS[..], &[protocol]].concat());
        guide::check_examples(&app, |key| connection(server.port).hgetall(key).unwrap());
    }
}

#[test]
fn it_keeps_what_it_was_given_and_ends_with_the_worker() {
    let data = TempDir::new().unwrap();
    let (server, mut app) = worker(data.path(), &["redis.database=20"]);
    let status = app.client().post("/v1/identify", r#"{"userId":"u","traits":{"a":1}}"#).unwrap().status;
    assert_eq!(status, 200);
    app.signal(Signal::SIGTERM);
    assert!(app.wait(Duration::from_secs(20)).success(), "{}", app.log().join("\n"));
    assert!(!is_there(server.port), "the server outlived its worker");

    let fixed = free_port();
    let (server, _app) = worker(data.path(), &["redis.database=20", "redis.protocol=3", &format!("redis.local.port={fixed}")]);
    assert_eq!(server.port, fixed);
    let mut connection = connection(fixed);
    redis::cmd("SELECT").arg(20).exec(&mut connection).unwrap();
    assert_eq!(connection.hget::<_, _, String>("user:u", "a").unwrap(), "1");
}

#[test]
fn b1_the_local_server_is_killed() {
    play("B1", "the server of redis.mode = local is killed", 2..=20, |round| {
        let data = TempDir::new().unwrap();
        let (server, mut app) = worker(data.path(), &[]);
        let port = server.port;
        let load = load_of(&app, OnError::Retry);
        for _ in 0..2 {
            progress(&load, 200);
            kill(pid(port), Signal::SIGKILL).unwrap();
            round.recovers(|| progress(&load, 50));
        }
        let users = load.stop();
        app.assert_at_rest();
        check(port, &users);
        assert_eq!(app.metric("traitsink_redis_local_restarts_total", ""), 2.0);
        assert!(app.dead_letters().is_empty());
        app.signal(Signal::SIGTERM);
        assert!(app.wait(Duration::from_secs(20)).success());
        assert!(!is_there(port), "the server outlived its worker");
    });
}

/// Nothing can end a server together with a worker that is killed; the next worker does.
#[test]
fn what_a_killed_worker_leaves_behind_is_ended_by_the_next() {
    let data = TempDir::new().unwrap();
    let (old_server, mut app) = worker(data.path(), &[]);
    let load = load_of(&app, OnError::Retry);
    progress(&load, 200);
    let old = pid(old_server.port);

    let own = TempDir::new().unwrap();
    let refused = |why: &str| {
        let keys = [("data_dir", own.path()), ("redis.local.data_dir", data.path())];
        let keys = keys.map(|(key, path)| format!("{key}={}", path.display()));
        let others = ["redis.mode=local", "redis.response_timeout=300ms"];
        let settings = keys.iter().map(String::as_str).chain(others).flat_map(|setting| ["-s", setting]);
        // Unlike `run` it ends by itself where it is not refused.
        let output = run(&settings.chain(["replay", "-"]).collect::<Vec<_>>(), b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused("redis.local.data_dir: another worker keeps its data in ");

    app.signal(Signal::SIGKILL);
    app.wait(Duration::from_secs(5));
    let users = load.stop();
    assert!(is_there(old_server.port));
    let stopped = Stopped::new(old);
    refused("what is there does not end");
    drop(stopped);
    let (server, app) = worker(data.path(), &[]);
    assert_ne!(pid(server.port), old);
    eventually("the old server is gone", || kill(old, None).is_err());
    assert!(app.log().iter().any(|line| line.contains("left behind")), "{}", app.log().join("\n"));
    check(server.port, &users);
}

#[test]
fn what_cannot_be_started_is_told() {
    let data = TempDir::new().unwrap();
    let taken = Redis::start();
    let port = format!("redis.local.port={}", taken.port());
    let file = data.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (setting, code, error) in [
        ("redis.local.binary=no-such-redis", 78, "redis.local.binary: there is no no-such-redis: install Redis"),
        ("redis.local.binary=/", 78, "redis.local.binary: / cannot be started: "),
        ("redis.local.binary=false", 69, "redis.local: the server ended at once (exit status: 1)"),
        (&port, 69, "Address already in use"),
        (&format!("redis.local.data_dir={}", file.display()), 74, "redis.local.data_dir: "),
    ] {
        let own = format!("data_dir={}", data.path().display());
        let output = run(&["-s", "redis.mode=local", "-s", &own, "-s", setting, "replay", "-"], b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{setting}: {said}");
        assert!(said.contains(error), "{setting}: {said}");
    }
}
