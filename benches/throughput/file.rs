//! `traitsink replay`: a file into Redis, alone, with the guard, and into a cluster.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::events::{Events, Mix, USERS, traits};
use super::harness;
use super::process::{per_million, wait};
use super::redis::{BenchServer, limit};
use super::report::{ROUNDS, Report};
use super::targets::Row;

/// One run of `traitsink replay`, with the start and the end of the process.
pub(super) struct Replayed {
    /// Events per second.
    pub(super) rate: f64,
    /// Seconds of processor time per million events.
    pub(super) cpu: f64,
}

/// Writes the events of a file to the Redis of `settings`.
pub(super) fn replay(settings: &[&str], file: &Path, data_dir: &Path, events: u64) -> Replayed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
    for setting in settings {
        command.args(["-s", setting]);
    }
    command
        .arg("-s")
        .arg(format!("data_dir={}", data_dir.display()))
        .args(["-q", "replay"])
        .arg(file)
        .stdin(Stdio::null());
    let start = Instant::now();
    let cpu = wait(command.spawn().expect("own binary"));
    let rate = events as f64 / start.elapsed().as_secs_f64();
    Replayed { rate, cpu: per_million(cpu, events) }
}

/// A file into one server, beside what Redis takes.
pub(super) fn alone(report: &mut Report, dir: &Path, events: u64) {
    let (path, written) = events_file(dir, events);
    let redis = BenchServer::start(dir);
    let url = format!("redis.url={}", redis.url());
    for round in 1..=ROUNDS {
        println!("file, round {round}");
        let limit = redis.limit(events);
        redis.clear();
        let Replayed { rate, cpu } = replay(&[&url], &path, dir, events);
        redis.check(&written);
        report.absolute("limit beside the file", "HSET/s", limit);
        report.absolute("file → Redis", "events/s", rate);
        report.absolute("file → Redis", "CPU s per million", cpu);
        report.row(Row::FileShare, rate / limit);
    }
}

/// A file with each kind of guard.
pub(super) fn guard(report: &mut Report, dir: &Path, events: u64) {
    let (path, _) = events_file(dir, events);
    let redis = BenchServer::start(dir);
    let url = format!("redis.url={}", redis.url());
    for round in 1..=ROUNDS {
        println!("guard, round {round}");
        for guard in ["profile.newest_wins=field", "profile.newest_wins=profile"] {
            let limit = redis.limit(events);
            let Replayed { rate, .. } = replay(&[&url, guard], &path, dir, events);
            report.absolute(&format!("file → Redis, {guard}"), "of the limit", rate / limit);
        }
    }
}

/// A file into a cluster of three.
pub(super) fn cluster(report: &mut Report, dir: &Path, events: u64) {
    let (path, _) = events_file(dir, events);
    let cluster = harness::cluster::Cluster::start(3, 0);
    let url = format!("redis.url={}", cluster.url());
    let fields = traits(12_345, 0).map(|(name, value)| (name.to_owned(), value));
    for round in 1..=ROUNDS {
        println!("cluster, round {round}");
        let limit = limit(cluster.nodes[0].port(), &["--cluster"], &fields, USERS, events);
        let Replayed { rate, .. } = replay(&["redis.mode=cluster", &url], &path, dir, events);
        report.absolute("file → cluster of three", "of the limit", rate / limit);
    }
}

fn events_file(dir: &Path, events: u64) -> (std::path::PathBuf, Events) {
    let path = dir.join("events.ndjson");
    let mut written = Events::new(Mix::All);
    written.write(&path, events);
    (path, written)
}
