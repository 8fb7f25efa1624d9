//! The time of an event on its way: over HTTP and from files into dead letters, from there through
//! a replay, and in the tap.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use traitsink::app::{App, Delivery};
use traitsink::config::{self, ConfigArgs, Loaded};
use traitsink::event::{GuardRules, ProfileRules};
use traitsink::lifecycle::Lifecycle;
use traitsink::profile::{NewestWins, Prefix};
use traitsink::readiness::Readiness;
use traitsink::source::file::{
    LineFormat, PositionCounts, Replay, ReplayCounts, ReplayParts, ReplayPosition, Watermark,
};

use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::redis::Redis;

/// A configuration with free ports, this data directory and these rules.
fn loaded(redis: &Redis, data: &Path, profile: ProfileRules) -> Loaded {
    let set = vec![
        format!("redis.url=redis://127.0.0.1:{}", redis.port()),
        format!("data_dir={}", data.display()),
        "http.listen=127.0.0.1:0".to_owned(),
        "admin.listen=127.0.0.1:0".to_owned(),
    ];
    let args = ConfigArgs { set, environment: BTreeMap::new(), ..ConfigArgs::default() };
    let mut loaded = config::load(&args).expect("a valid configuration");
    if profile.guard.is_some() {
        loaded.config.profile.newest_wins = NewestWins::Field;
    }
    loaded.config.rules.profile = profile;
    loaded
}

fn guarded() -> ProfileRules {
    let guard = GuardRules { time_field: "_ts".into(), max_ahead: 5 * 60 * 1000 };
    ProfileRules { guard: Some(guard), ..ProfileRules::default() }
}

/// Runs a worker in this process while `work` lasts.
fn while_running(loaded: &Loaded, work: impl FnOnce(&App)) {
    let runtime = Runtime::new().unwrap();
    let lifecycle = Lifecycle::default();
    let app = runtime.block_on(App::start(loaded, lifecycle.clone())).expect("the worker starts");
    work(&app);
    lifecycle.soft.cancel();
    runtime.block_on(app.run_until_stopped());
}

/// The dead letters written so far.
fn letters(data: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(data.join("dead-letters.ndjson")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Sends these lines through a replay in this process.
fn replay(loaded: &Loaded, lines: String) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let lifecycle = Lifecycle::default();
        let readiness = Arc::new(Readiness::new([]));
        let delivery = Delivery::start(&loaded.config, readiness, &lifecycle, true).await;
        let delivery = delivery.expect("the lanes start");
        let watermark = Watermark::new(ReplayPosition::default());
        let mut replay = Replay::new(ReplayParts {
            intake: Arc::clone(&delivery.intake),
            letters: delivery.letters.clone(),
            metrics: Arc::clone(&delivery.metrics),
            prefix: Prefix::NONE,
            format: LineFormat::Auto,
            rate: None,
            stop: lifecycle.soft.clone(),
            counts: Arc::new(ReplayCounts::after(PositionCounts::default())),
            watermark: Arc::clone(&watermark),
        });
        let handle = tokio::runtime::Handle::current();
        let reading = move || replay.run(lines.as_bytes(), 0, &handle).expect("it can be read");
        tokio::task::spawn_blocking(reading).await.unwrap();
        watermark.wait_until_idle().await;
        delivery.finish().await;
    });
}

/// A data directory, and a Redis in which the key of the user `u` is no hash.
fn refusing() -> (TempDir, Redis) {
    let redis = Redis::start();
    redis.cli(&["SET", "user:u", "not a hash"]);
    (TempDir::new().unwrap(), redis)
}

const TIMELESS: &str = r#"{"type":"identify","userId":"u","traits":{"a":1}}"#;
/// By a clock that is years behind: a minute lies between the event and its sending.
const SKEWED: &str = r#"{"sentAt":"2001-01-01T00:01:00Z","batch":[{"type":"identify","userId":"u",
    "originalTimestamp":"2001-01-01T00:00:00Z","traits":{"a":1}}]}"#;

#[test]
fn a_dead_letter_keeps_the_time_of_its_event_through_replays() {
    let (data, redis) = refusing();
    let loaded = loaded(&redis, data.path(), guarded());
    let before = Timestamp::now().as_millisecond();
    while_running(&loaded, |app| {
        let mut client = Client::new(app.http.unwrap());
        for (path, body) in [("/v1/identify", TIMELESS), ("/v1/batch", SKEWED)] {
            assert_eq!(client.post(path, body).expect("an answer").status, 200, "{path}");
        }
    });
    let after = Timestamp::now().as_millisecond();
    let times: Vec<i64> =
        letters(data.path()).iter().map(|letter| letter["event_time"].as_i64().unwrap()).collect();
    let [timeless, skewed] = times[..] else { panic!("{times:?}") };
    assert!((before..=after).contains(&timeless), "{before} {timeless} {after}");
    assert!((before - 60_000..=after - 60_000).contains(&skewed), "{before} {skewed} {after}");

    let text = std::fs::read_to_string(data.path().join("dead-letters.ndjson")).unwrap();
    replay(&loaded, text);
    let again: Vec<Value> =
        letters(data.path())[2..].iter().map(|letter| letter["event_time"].clone()).collect();
    assert_eq!(again, times);
}

#[test]
fn a_replay_knows_when_events_came_that_no_guard_saw() {
    let (data, redis) = refusing();
    let quoted = TIMELESS.replace('"', "\\\"");
    let letter = |more: &str| {
        let at = "2024-01-02T03:04:05.250Z";
        format!(r#"{{"at":"{at}","reason":"wrong_type",{more},"event":"{quoted}"}}"#)
    };
    let sent = r#"{"sentAt":"2024-02-29T00:00:00Z","#;
    let lines = [
        letter(r#""source":"http""#),
        letter(
            r#""source":"kafka","topic":"t","partition":0,"offset":7,"timestamp":1700000000123"#,
        ),
        TIMELESS.replacen('{', sent, 1),
        format!(r#"{sent}"batch":[{TIMELESS}]}}"#),
        TIMELESS.replacen('{', r#"{"receivedAt":"2024-02-29T00:00:01Z","#, 1),
    ];
    replay(&loaded(&redis, data.path(), guarded()), lines.join("\n"));
    let times: Vec<_> =
        letters(data.path()).iter().map(|letter| letter["event_time"].as_i64().unwrap()).collect();
    let [leap_day, second] = [1_709_164_800_000, 1000];
    assert_eq!(
        times,
        [1_704_164_645_250, 1_700_000_000_123, leap_day, leap_day, leap_day + second]
    );
}

#[test]
fn without_a_guard_a_letter_says_nothing_of_it() {
    let (data, redis) = refusing();
    replay(&loaded(&redis, data.path(), ProfileRules::default()), TIMELESS.to_owned());
    let letters = letters(data.path());
    assert_eq!((letters.len(), letters[0].get("event_time")), (1, None));
}

#[test]
fn the_tap_shows_times() {
    let (data, redis) = (TempDir::new().unwrap(), Redis::start());
    while_running(&loaded(&redis, data.path(), guarded()), |app| {
        let mut tap = Command::new(env!("CARGO_BIN_EXE_traitsink"))
            .args(["tap", "--limit", "1", &app.admin_address.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut client = Client::new(app.http.unwrap());
        let event = r#"{"userId":"u1","timestamp":"2024-02-29T00:00:00Z","traits":{"a":1}}"#;
        eventually("the tap shows one event and ends", || {
            assert_eq!(client.post("/v1/identify", event).expect("an answer").status, 200);
            tap.try_wait().expect("own child").is_some()
        });
        let output = tap.wait_with_output().unwrap();
        let line: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
        assert_eq!(line["time"], "2024-02-29T00:00:00.000Z");
        assert_eq!((&line["time_from"], line.get("clamped")), (&"timestamp".into(), None));
    });
}
