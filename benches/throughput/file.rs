//! Benchmark of `traitsink replay`: a file into Redis.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::events::{USERS, event};

pub(super) fn write_events(path: &Path, events: u64) {
    let mut file = BufWriter::new(std::fs::File::create(path).expect("a temporary file"));
    let mut line = String::new();
    for _ in 0..events {
        line.clear();
        event(&mut line, fastrand::u64(0..USERS));
        file.write_all(line.as_bytes()).expect("room for the events");
    }
    file.flush().expect("room for the events");
}

/// Events per second from the file, with the start and the end of the process.
pub(super) fn replay(redis: &[&str], file: &Path, data_dir: &Path, events: u64) -> f64 {
    let start = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
    for setting in redis {
        command.args(["-s", setting]);
    }
    command
        .arg("-s")
        .arg(format!("data_dir={}", data_dir.display()))
        .arg("-q")
        .arg("replay")
        .arg(file);
    let status = command.status().expect("own binary");
    let elapsed = start.elapsed();
    assert!(status.success(), "replay: {status}");
    events as f64 / elapsed.as_secs_f64()
}
