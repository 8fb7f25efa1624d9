//! Faults of this machine, under load: its clock jumps, and its processor has little time for the
//! worker.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::{Timestamp, ToSpan};

use crate::faults::{check, load_of, progress, url};
use crate::harness::app::App;
use crate::harness::load::OnError;
use crate::harness::matrix::play;
use crate::harness::redis::Redis;
use crate::harness::{eventually, let_pass};

/// The library that shows a process another time than the clock's.
fn libfaketime() -> PathBuf {
    let libraries = std::fs::read_dir("/usr/lib").expect("a directory").filter_map(Result::ok);
    let found = libraries
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists());
    found.expect("libfaketime (Debian package faketime) is needed by the tests; see tests/run")
}

/// The worker's clock, as the latest dead letter has it.
fn clock(app: &App) -> Timestamp {
    let before = app.dead_letters().len();
    let event = r#"{"type":"identify","userId":"string","traits":{"a":1}}"#;
    eventually("a dead letter", || {
        app.client().post("/v1/identify", event).is_some_and(|answer| answer.status == 200)
    });
    let letters = app.dead_letters();
    assert!(letters.len() > before, "answered 200, and not kept");
    let at = letters.last().and_then(|letter| letter["at"].as_str()).expect("a time");
    at.parse().expect("a time")
}

#[test]
fn f3_the_clock_jumps() {
    play("F3", "the clock jumps an hour ahead and back", 2..=3, |round| {
        let (redis, dir) = (Redis::start(), tempfile::tempdir().expect("a directory"));
        let offset = dir.path().join("offset");
        // The file is replaced, so that it is never read half written.
        let jump = |hours: i64| {
            let new = dir.path().join("new");
            std::fs::write(&new, format!("{:+}", hours * 3600)).expect("a file");
            std::fs::rename(&new, &offset).expect("a file");
        };
        jump(0);
        let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
        command
            .env("LD_PRELOAD", libfaketime())
            .env("FAKETIME_TIMESTAMP_FILE", &offset)
            .env("FAKETIME_NO_CACHE", "1")
            // Only the time of day jumps.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let app = App::start_command(command, &[&format!("redis.url={}", url(&redis))]);
        redis.cli(&["SET", "user:string", "a string"]);
        let load = load_of(&app, OnError::Retry);
        for hours in [1, -1, 0] {
            progress(&load, 50);
            let_pass(round.up_to(300));
            jump(hours);
            round.recovers(|| progress(&load, 1));
            progress(&load, 50);
            let away = (clock(&app) - hours.hours()).duration_since(Timestamp::now()).abs();
            assert!(away.as_secs() < 120, "{hours} h: {away:?}");
            app.wait_ready();
        }
        let users = load.stop();
        redis.cli(&["DEL", "user:string"]);
        check(&redis, &users);
        app.assert_at_rest();
        assert_eq!(app.dead_letters().len(), 3);
    });
}

#[test]
fn f3_little_processor_time() {
    play("F3", "the worker has a tenth of the processor's time", 2..=3, |round| {
        let redis = Redis::start();
        let app = App::start(&url(&redis), &[]);
        let load = load_of(&app, OnError::Retry);
        progress(&load, 50);
        let before = load.acked();
        app.starve(Duration::from_secs(if round.night { 20 } else { 2 }));
        assert!(load.acked() > before, "nothing was acknowledged for all that time");
        round.recovers(|| progress(&load, 1));
        progress(&load, 50);
        app.wait_ready();
        check(&redis, &load.stop());
        app.assert_at_rest();
        assert!(app.dead_letters().is_empty());
    });
}
