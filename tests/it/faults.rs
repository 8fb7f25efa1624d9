//! Faults under load, with an oracle: acknowledged events are in Redis, and no older event
//! overwrites them. Each test is a row of the fault matrix; letters and numbers are those of the
//! test plan (tests/FAULTS.md).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::app::App;
use crate::harness::load::{Load, OnError, User, check_users};
use crate::harness::matrix::play;
use crate::harness::redis::{Redis, free_port};
use crate::harness::{eventually, let_pass};

const WRITERS: usize = 6;
const USERS: usize = 40;

/// A Redis that writes to disk before it acknowledges.
pub(crate) fn durable_redis() -> Redis {
    Redis::builder().option("appendonly", "yes").option("appendfsync", "always").start()
}

pub(crate) fn url(redis: &Redis) -> String {
    format!("redis://127.0.0.1:{}", redis.port())
}

/// A worker on a fixed port, so that its clients reach it after a restart.
pub(crate) fn worker(redis: &Redis, port: u16, settings: &[&str]) -> App {
    let listen = format!("http.listen=127.0.0.1:{port}");
    let mut all = vec![listen.as_str()];
    all.extend(settings);
    App::start(&url(redis), &all)
}

pub(crate) fn load(port: u16, on_error: OnError) -> Load {
    Load::start(SocketAddr::from(([127, 0, 0, 1], port)), WRITERS, USERS, on_error)
}

/// Load on a worker that is not restarted.
pub(crate) fn load_of(app: &App, on_error: OnError) -> Load {
    load(app.http.port(), on_error)
}

/// Waits until `more` further events are acknowledged.
pub(crate) fn progress(load: &Load, more: u64) {
    let goal = load.acked() + more;
    eventually("events are acknowledged", || load.acked() >= goal);
}

/// Checks invariants I1 and I3: each hash agrees with its user's state, and there is no other key.
pub(crate) fn check(redis: &Redis, users: &BTreeMap<String, User>) {
    check_users(users, |key| redis.hgetall(key));
    let keys: Vec<String> = redis::from_redis_value(redis.cli(&["KEYS", "*"])).expect("names");
    for key in keys {
        assert!(
            key.strip_prefix("user:").is_some_and(|name| users.contains_key(name)),
            "unexpected key {key}"
        );
    }
}

/// A new worker that has written something already.
fn restarted(redis: &Redis, port: u16, load: &Load) -> App {
    let app = worker(redis, port, &[]);
    progress(load, 1);
    app
}

#[test]
fn a2_worker_killed_under_load() {
    play("A2", "the worker is killed under load over HTTP", 2..=50, |round| {
        let redis = Redis::start();
        let port = free_port();
        let mut app = worker(&redis, port, &[]);
        let load = load(port, OnError::Retry);
        for _ in 0..3 {
            progress(&load, 50);
            let_pass(round.up_to(700));
            app.signal(Signal::SIGKILL);
            app.wait(Duration::from_secs(5));
            app = round.recovers(|| restarted(&redis, port, &load));
        }
        progress(&load, 50);
        check(&redis, &load.stop());
        app.assert_at_rest();
    });
}

#[test]
fn a3_worker_stopped_under_load() {
    play("A3", "the worker is stopped under load over HTTP", 2..=30, |round| {
        let redis = Redis::start();
        let port = free_port();
        let mut app = worker(&redis, port, &[]);
        let load = load(port, OnError::Retry);
        progress(&load, 50);
        let_pass(round.up_to(700));
        app.signal(Signal::SIGTERM);
        let status = app.wait(Duration::from_secs(20));
        assert!(status.success(), "{status}\n{}", app.log().join("\n"));
        let app = round.recovers(|| restarted(&redis, port, &load));
        progress(&load, 50);
        check(&redis, &load.stop());
        app.assert_at_rest();
    });
}

#[test]
fn a4_worker_stopped_while_redis_is_down() {
    play("A4", "the worker is stopped while Redis is frozen", 2..=10, |round| {
        let mut redis = Redis::start();
        let port = free_port();
        let mut app = worker(&redis, port, &["delivery.stop_grace=3s"]);
        let load = load(port, OnError::Retry);
        progress(&load, 50);
        redis.pause();
        eventually("a request was refused", || load.refused() > 0);
        app.signal(Signal::SIGTERM);
        let status = app.wait(Duration::from_secs(30));
        assert!(!status.success(), "events were unsettled, and the worker says {status}");
        assert!(
            app.log().iter().any(|line| line.contains("unsettled")),
            "{}",
            app.log().join("\n")
        );

        let mut app = worker(&redis, port, &[]);
        app.signal(Signal::SIGTERM);
        app.signal(Signal::SIGINT);
        app.wait(Duration::from_secs(2));
        redis.resume();
        let _app = round.recovers(|| restarted(&redis, port, &load));
        progress(&load, 50);
        check(&redis, &load.stop());
        redis.kill();
    });
}

#[test]
fn b1_redis_killed_and_restarted() {
    play("B1", "Redis is killed and started again (appendfsync always)", 2..=30, |round| {
        let mut redis = durable_redis();
        let port = free_port();
        let app = worker(&redis, port, &[]);
        let load = load(port, OnError::Retry);
        for _ in 0..2 {
            progress(&load, 50);
            let_pass(round.up_to(300));
            redis.kill();
            let_pass(round.up_to(3000));
            redis.restart();
            round.recovers(|| progress(&load, 1));
        }
        progress(&load, 50);
        check(&redis, &load.stop());
        app.assert_at_rest();
        assert!(
            app.dead_letters().is_empty(),
            "nothing may be dead-lettered because Redis was away"
        );
    });
}

#[test]
fn b2_redis_frozen_and_thawed() {
    play("B2", "Redis is frozen and thawed", 2..=30, |round| {
        let redis = Redis::start();
        let port = free_port();
        // Requests are given up while Redis is frozen; their events must not overwrite newer ones
        // later.
        let app = worker(&redis, port, &["http.wait=1s", "redis.response_timeout=500ms"]);
        let load = load(port, OnError::GiveUp);
        let watch = ReadMonitor::start(&redis);
        for _ in 0..2 {
            progress(&load, 50);
            redis.pause();
            let_pass(Duration::from_millis(round.rng.u64(300..3000)));
            redis.resume();
            round.recovers(|| progress(&load, 1));
        }
        progress(&load, 50);
        let users = load.stop();
        app.assert_at_rest();
        check(&redis, &users);
        watch.stop();
    });
}

#[test]
fn b6_some_keys_hold_another_type() {
    play("B6", "some keys hold another type (WRONGTYPE)", 2..=5, |_| {
        let redis = Redis::start();
        let port = free_port();
        let app = worker(&redis, port, &[]);
        let strings: Vec<String> = (0..WRITERS).map(|writer| format!("w{writer}-7")).collect();
        for name in &strings {
            redis.cli(&["SET", &format!("user:{name}"), "a string"]);
        }
        let load = load(port, OnError::Retry);
        progress(&load, 1000);
        eventually("every string has a dead letter", || {
            let letters = std::fs::read_to_string(app.dead_letter_file()).unwrap_or_default();
            strings.iter().all(|name| letters.contains(&format!("\"user:{name}\"")))
        });
        let mut users = load.stop();
        app.assert_at_rest();
        let letters = app.dead_letters();
        for name in &strings {
            users.remove(name);
            let key = format!("user:{name}");
            let text: String =
                redis::from_redis_value(redis.cli(&["GET", &key])).expect("still a string");
            assert_eq!(text, "a string");
            redis.cli(&["DEL", &key]);
            let mine: Vec<_> =
                letters.iter().filter(|letter| letter["key"] == key.as_str()).collect();
            assert!(!mine.is_empty(), "no letter for {key}");
            for letter in mine {
                assert_eq!(
                    (&letter["reason"], &letter["source"]),
                    (&"wrong_type".into(), &"http".into())
                );
                assert!(
                    letter["event"]
                        .as_str()
                        .expect("text")
                        .contains(&format!("\"userId\":\"{name}\"")),
                    "{letter}"
                );
            }
        }
        let others = letters
            .iter()
            .filter(|letter| !strings.iter().any(|name| letter["key"] == format!("user:{name}")));
        assert_eq!(others.count(), 0, "an event of another key was dead-lettered");
        assert_eq!(
            letters.len() as f64,
            app.metric("traitsink_events_dead_lettered_total", "wrong_type")
        );
        check(&redis, &users);
    });
}

/// Checks invariant I4 by reading: while this runs, no user's number falls.
struct ReadMonitor {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl ReadMonitor {
    fn start(redis: &Redis) -> Self {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let client = redis::Client::open(url(redis)).expect("a valid URL");
        let thread = std::thread::spawn(move || {
            let mut connection = client.get_connection().expect("Redis accepts");
            let mut seen = BTreeMap::new();
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                let name =
                    format!("user:w{}-{}", fastrand::usize(0..WRITERS), fastrand::usize(0..USERS));
                let number: Option<u64> = redis::cmd("HGET")
                    .arg(&name)
                    .arg("seq")
                    .query(&mut connection)
                    .expect("a number");
                let before = seen.insert(name.clone(), number);
                assert!(before.flatten() <= number, "{name} fell from {before:?} to {number:?}");
            }
        });
        Self { stop, thread }
    }

    fn stop(self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        self.thread.join().expect("no number fell");
    }
}
