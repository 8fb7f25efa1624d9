//! How `traitsink replay` is ended and goes on: kills, checkpoints, its rate and its progress.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use flate2::write::GzEncoder;

use crate::harness::matrix::play;
use crate::harness::redis::Redis;
use crate::harness::{eventually, let_pass};
use crate::replay_files::{Place, assert_ended, err};

/// Users of the events; each has every event whose number leaves its rest.
const USERS: u64 = 40;

/// Events with the numbers of `range`, one a line.
fn events(range: std::ops::Range<u64>) -> String {
    let line = |n: u64| {
        let (user, field) = (n % USERS, n / USERS % 8);
        format!(
            "{{\"type\":\"identify\",\"userId\":\"u{user}\",\"traits\":{{\"seq\":{n},\
             \"f{field}\":{n}}}}}\n"
        )
    };
    range.map(line).collect()
}

/// What the hashes hold once all `count` events are written in order.
fn assert_holds_all(redis: &Redis, count: u64) {
    let mut expected: BTreeMap<u64, BTreeMap<Vec<u8>, Vec<u8>>> = BTreeMap::new();
    for n in 0..count {
        let number = n.to_string().into_bytes();
        let hash = expected.entry(n % USERS).or_default();
        hash.insert(b"seq".to_vec(), number.clone());
        hash.insert(format!("f{}", n / USERS % 8).into_bytes(), number);
    }
    for (user, hash) in expected {
        assert_eq!(redis.hgetall(&format!("user:u{user}")), hash, "u{user}");
    }
}

fn start(place: &Place, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args(place.settings())
        .arg("replay")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The content of the only checkpoint, if there is one.
fn checkpoint(place: &Place) -> Option<serde_json::Value> {
    let entries = std::fs::read_dir(place.data()).ok()?;
    let is_checkpoint = |path: &Path| path.extension().is_some_and(|end| end == "checkpoint");
    let path =
        entries.filter_map(|entry| Some(entry.ok()?.path())).find(|path| is_checkpoint(path))?;
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[test]
fn a6_a_replay_is_killed_and_resumed() {
    play("A6", "a replay of files is killed and resumed", 2..=30, |round| {
        const EACH: u64 = 40_000;
        let redis = Redis::start();
        let place = Place::new(redis.port());
        let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(events(EACH..2 * EACH).as_bytes()).unwrap();
        let files = [
            place.write("1.ndjson", events(0..EACH)),
            place.write("2.gz", packed.finish().unwrap()),
            place.write(
                "3.zst",
                zstd::encode_all(events(2 * EACH..3 * EACH).as_bytes(), 1).unwrap(),
            ),
        ];
        let args: Vec<&str> = ["--resume", "--rate", "60000"]
            .into_iter()
            .chain(files.iter().map(String::as_str))
            .collect();
        let mut last = 0;
        for _ in 0..4 {
            let mut child = start(&place, &args);
            let_pass(round.up_to(1500));
            child.kill().unwrap();
            if child.wait().unwrap().success() {
                break;
            }
            let Some(kept) = checkpoint(&place) else { continue };
            let names = ["written", "skipped", "dead_lettered"];
            let events: u64 = names.map(|name| kept["counts"][name].as_u64().unwrap()).iter().sum();
            assert!(events >= last, "the position went back from {last} to {events}");
            last = events;
        }
        let output = round.recovers(|| place.replay(&args));
        assert!(output.status.success(), "{}", err(&output));
        let all = 3 * EACH;
        assert!(err(&output).contains(&format!(": {all} written, 0 skipped")), "{}", err(&output));
        assert_holds_all(&redis, all);
        assert_eq!(checkpoint(&place), None, "removed at the end");
    });
}

/// Starts a replay that cannot end soon, and kills it once its checkpoint shows progress.
fn kill_in_the_middle(place: &Place, file: &str) {
    let mut child = start(place, &["--rate", "400", file]);
    eventually("the position is kept", || {
        checkpoint(place).is_some_and(|kept| kept["offset"].as_u64() > Some(0))
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_file_that_changed_before_the_position_is_refused() {
    let redis = Redis::start();
    let place = Place::new(redis.port());
    let file = place.write("events.ndjson", events(0..20_000));
    assert_ended(&place.replay(&["--resume", "-"]), 64, "standard input");
    kill_in_the_middle(&place, &file);

    let mut grown = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    grown.write_all(events(20_000..20_100).as_bytes()).unwrap();
    let output = place.replay(&["--resume", &file]);
    assert_ended(&output, 0, "going on after ");
    assert!(err(&output).contains(": 20100 written"), "{}", err(&output));
    assert_holds_all(&redis, 20_100);
    let output = place.replay(&["--resume", &file]);
    assert_ended(&output, 0, "no earlier replay of these files");

    kill_in_the_middle(&place, &file);
    std::fs::write(&file, events(0..20_000)).unwrap();
    assert_ended(&place.replay(&["--resume", &file]), 64, "changed before the position");
    assert_ended(&place.replay(&[&file]), 0, "--resume would go on");
}

#[test]
fn a_stopped_replay_keeps_its_position() {
    use nix::sys::signal::{Signal, kill};
    let redis = Redis::start();
    let place = Place::new(redis.port());
    let file = place.write("events.ndjson", events(0..2_000));
    let mut child = start(&place, &["--rate", "200", &file]);
    eventually("some events are written", || !redis.hgetall("user:u39").is_empty());
    kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75));
    let position = checkpoint(&place).expect("kept at the stop");
    assert!(position["offset"].as_u64() > Some(0), "{position}");
    assert_ended(&place.replay(&["--resume", &file]), 0, ": 2000 written, 0 skipped");
    assert_holds_all(&redis, 2_000);
}

#[test]
fn a_second_replay_of_the_same_files_is_refused() {
    let redis = Redis::start();
    let place = Place::new(redis.port());
    let file = place.write("events.ndjson", events(0..20_000));
    let mut child = start(&place, &["--rate", "10", &file]);
    eventually("the first one runs", || checkpoint(&place).is_some());
    assert_ended(&place.replay(&[&file]), 69, "another replay of the same files");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_ended(&place.replay(&[&file]), 0, ": 20000 written");
}

#[test]
fn lines_of_progress_without_a_terminal() {
    let redis = Redis::start();
    let place = Place::new(redis.port());
    let file = place.write("events.ndjson", events(0..200_000));
    let mut child = start(&place, &["--rate", "100", &file]);
    let mut said = Vec::new();
    let mut stderr = child.stderr.take().unwrap();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&said).contains(" % of ") {
        let read = stderr.read(&mut buffer).unwrap();
        assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&buffer[..read]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains(" events, ") && said.contains("/s, "), "{said}");
    let small = place.write("small.ndjson", events(0..200));
    let output = place.replay(&["--rate", "100", "--progress", "none", &small]);
    assert!(!err(&output).contains(" % of "), "{}", err(&output));
}
