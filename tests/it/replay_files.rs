//! What `traitsink replay` reads: formats, compressed and damaged files, directories, patterns, dry
//! runs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use base64::Engine;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::app::{App, run};
use crate::harness::redis::{Redis, free_port};

/// A data directory, a directory for files, and settings for both and for a Redis.
pub(crate) struct Place {
    dir: TempDir,
    url: String,
}

impl Place {
    pub(crate) fn new(port: u16) -> Self {
        Self { dir: TempDir::new().unwrap(), url: format!("redis.url=redis://127.0.0.1:{port}") }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file; returns its path as text.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn settings(&self) -> Vec<String> {
        let data = format!("data_dir={}", self.data().display());
        ["-s", &self.url, "-s", &data].map(str::to_owned).to_vec()
    }

    /// Runs `replay` with these arguments.
    pub(crate) fn replay(&self, args: &[&str]) -> Output {
        let settings = self.settings();
        let mut all: Vec<&str> = settings.iter().map(String::as_str).collect();
        all.push("replay");
        all.extend(args);
        run(&all, b"")
    }

    /// The dead letters written so far.
    fn letters(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.data().join("dead-letters.ndjson"));
        let text = text.unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts the exit code, and that standard error has `words`.
pub(crate) fn assert_ended(output: &Output, code: i32, words: &str) {
    let said = err(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{words:?} is missing: {said}");
}

fn event(user: &str, n: u64) -> String {
    format!("{{\"type\":\"identify\",\"userId\":\"{user}\",\"traits\":{{\"n\":{n}}}}}\n")
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The value of a field as text, empty when it is not there.
fn field(redis: &Redis, key: &str, name: &str) -> String {
    let value = redis.hgetall(key).remove(name.as_bytes()).unwrap_or_default();
    String::from_utf8(value).unwrap()
}

#[test]
fn compressed_files_are_known_by_their_content() {
    let redis = Redis::start();
    let place = Place::new(redis.port());
    let plain = place.write("kept-its-name.gz", event("p", 1));
    let members = [gzip(&event("g1", 1)), gzip(&event("g2", 1))].concat();
    let members = place.write("members", members);
    let frames = place.write("frames", [zstd(&event("z1", 1)), zstd(&event("z2", 1))].concat());
    let output = place.replay(&[&plain, &members, &frames]);
    assert_ended(&output, 0, ": 5 written, 0 skipped, 0 dead-lettered, 0 failed");
    for user in ["p", "g1", "g2", "z1", "z2"] {
        assert_eq!(field(&redis, &format!("user:{user}"), "n"), "1", "{user}");
    }
    let left: Vec<_> = std::fs::read_dir(place.data()).unwrap().collect();
    assert_eq!(left.len(), 1, "only the dead-letter file is left: {left:?}");
}

#[test]
fn what_comes_before_the_damage_is_delivered_and_the_place_is_named() {
    let redis = Redis::start();
    let lines: String = (0..50_000).map(|n| event(&format!("u{}", n % 100), n)).collect();
    for (name, whole) in [("events.gz", gzip(&lines)), ("events.zst", zstd(&lines))] {
        redis.cli(&["FLUSHALL"]);
        let place = Place::new(redis.port());
        let cut = place.write(name, &whole[..whole.len() * 3 / 4]);
        let next = place.write("next.ndjson", event("next", 1));
        let output = place.replay(&[&cut, &next]);
        assert_ended(&output, 74, "damaged or was cut off");
        let said = err(&output);
        let line = said.lines().find(|line| line.contains("damaged")).unwrap();
        assert!(line.contains(name) && line.contains(": line "), "{line}");
        let number = line.split(": line ").nth(1).unwrap().split(',').next().unwrap();
        let taken: u64 = number.parse::<u64>().unwrap() - 1;
        assert!(taken > 1000, "{line}");
        assert!(said.contains(&format!(" {taken} written, 0 skipped, 0 dead-lettered")), "{said}");
        for user in 0..100 {
            let last = (0..taken).rev().find(|n| n % 100 == user).unwrap();
            assert_eq!(field(&redis, &format!("user:u{user}"), "n"), last.to_string());
        }
        assert!(redis.hgetall("user:next").is_empty(), "later files wait");
    }
}

#[test]
fn a_file_that_is_not_what_its_name_says_is_found_before_anything_is_written() {
    let redis = Redis::start();
    let place = Place::new(redis.port());
    let good = place.write("good.ndjson", event("u", 1));
    for (name, content) in [("empty.gz", &b""[..]), ("other.zst", b"\x00\x01"), ("c.gz", b"\x28")] {
        let bad = place.write(name, content);
        assert_ended(&place.replay(&[&good, &bad]), 74, name);
        assert!(redis.hgetall("user:u").is_empty());
    }
}

#[test]
fn archives_of_rudderstack_and_segment() {
    let redis = Redis::start();
    let place = Place::new(redis.port());
    let archived = |payload: Value| {
        let line = json!({
            "userId": "x", "payload": payload, "createdAt": "2026-11-29T06:00:00Z",
            "messageId": "m",
        });
        format!("{line}\n")
    };
    let as_object = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let rudderstack = [
        archived(as_object(&event("r1", 1))),
        archived(Value::String(event("r2", 1))),
        archived(json!({"batch": [as_object(&event("r3", 1)), as_object(&event("r4", 1))]})),
    ];
    place.write("day/rudderstack.json.gz", gzip(&rudderstack.concat()));
    place.write("day/1764394.fc23.1.2.gz", gzip(&event("s1", 1)));
    let day = place.path("day");
    for format in ["auto", "archive"] {
        redis.cli(&["FLUSHALL"]);
        let output = place.replay(&["--format", format, day.to_str().unwrap()]);
        assert_ended(&output, 0, ": 5 written, 0 skipped, 0 dead-lettered, 0 failed");
        for user in ["r1", "r2", "r3", "r4", "s1"] {
            assert_eq!(field(&redis, &format!("user:{user}"), "n"), "1", "{user} as {format}");
        }
    }
    let output = place.replay(&["--format", "events", day.to_str().unwrap()]);
    assert_ended(&output, 0, ": 1 written, 3 skipped");
}

#[test]
fn a_directory_is_read_by_path_and_what_else_lies_there_is_named() {
    let redis = Redis::start();
    let place = Place::new(redis.port());
    for (name, n) in [("d/b.ndjson", 2), ("d/a.ndjson", 1), ("d/sub/c.ndjson.1", 3)] {
        place.write(name, event("u", n));
    }
    place.write("d/.hidden.ndjson", event("u", 8));
    place.write("d/notes.txt", event("u", 9));
    let output = place.replay(&[place.path("d").to_str().unwrap()]);
    assert_ended(&output, 0, ": 3 written");
    let said = err(&output);
    assert!(said.contains("notes.txt") && said.contains(".hidden.ndjson"), "{said}");
    assert_eq!(field(&redis, "user:u", "n"), "3", "the last by path");
    let pattern = place.path("d/?.ndjson");
    assert_ended(&place.replay(&[pattern.to_str().unwrap()]), 0, ": 2 written");
    assert_eq!(field(&redis, "user:u", "n"), "2", "the last that the pattern matches");
    let pattern = place.path("d/*.csv");
    assert_ended(&place.replay(&[pattern.to_str().unwrap()]), 74, "*.csv");
}

/// What an operator does: the dead letters are moved, the key in the way is removed, the letters
/// are replayed until none is left.
#[test]
fn dead_letters_are_repaired_and_replayed_to_zero() {
    let redis = Redis::start();
    for key in ["user:a", "team:user:b", "user:c"] {
        redis.cli(&["SET", key, "in the way"]);
    }
    let source = r#"http.sources=[{name="team",write_key="t",prefix="team"}]"#;
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let app = App::start(&url, &["http.write_keys=[\"w\"]", source]);
    app.wait_ready();
    let post = |path: &str, key: &str, body: &str| {
        let login = base64::engine::general_purpose::STANDARD.encode(format!("{key}:"));
        let login = format!("Basic {login}");
        let headers = [("authorization", login.as_str())];
        let answer = app.client().send("POST", path, &headers, body.as_bytes());
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    post("/v1/identify", "w", r#"{"userId":"a","traits":{"n":1}}"#);
    post("/v1/identify", "t", r#"{"userId":"b","traits":{"n":2}}"#);
    post("/v1/batch", "w", &format!("{{\"batch\":[{}]}}", event("c", 3).trim()));
    let letters = app.dead_letters();
    let said = |at: usize, name: &str| letters[at][name].clone();
    assert_eq!((said(0, "prefix"), said(0, "type")), ("".into(), "identify".into()));
    assert_eq!((said(1, "prefix"), said(1, "type")), ("team".into(), "identify".into()));
    assert_eq!((said(2, "prefix"), said(2, "type")), ("".into(), Value::Null));

    let place = Place::new(redis.port());
    let repair = place.path("repair.ndjson");
    std::fs::rename(app.dead_letter_file(), &repair).unwrap();
    let repair = repair.to_str().unwrap();
    redis.cli(&["DEL", "user:a", "team:user:b"]);
    assert_ended(&place.replay(&[repair]), 65, ": 2 written, 0 skipped, 1 dead-lettered");
    let left = place.letters();
    assert_eq!((&left[0]["event"], &left[0]["source"]), (&said(2, "event"), &"file".into()));

    let again = place.path("again.ndjson");
    std::fs::rename(place.data().join("dead-letters.ndjson"), &again).unwrap();
    redis.cli(&["DEL", "user:c"]);
    let output = place.replay(&["--format", "dead-letters", again.to_str().unwrap()]);
    assert_ended(&output, 0, ": 1 written, 0 skipped, 0 dead-lettered, 0 failed");
    for (key, n) in [("user:a", "1"), ("team:user:b", "2"), ("user:c", "3")] {
        assert_eq!(field(&redis, key, "n"), n, "{key}");
    }
    assert!(place.letters().is_empty());
}

#[test]
fn letters_without_a_prefix_have_that_of_the_configuration() {
    let redis = Redis::start();
    let place = Place::new(redis.port());
    let letter = |more: Value| {
        let mut letter = json!({"at": "2026-11-29T06:00:00Z", "reason": "refused"});
        letter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("{letter}\n")
    };
    let untyped = r#"{"userId":"i","traits":{"n":1}}"#;
    let list = format!("[{},{}]", event("l1", 1).trim(), event("l2", 1).trim());
    let lines = [
        letter(json!({"source": "http", "event": event("o", 1)})),
        letter(json!({"source": "http", "event": untyped, "prefix": "", "type": "identify"})),
        letter(json!({"source": "kafka", "event": list, "prefix": "q"})),
        letter(json!({"source": "http", "event_base64": "!"})),
        event("e", 1),
    ];
    let file = place.write("letters.ndjson", lines.concat());
    let output = place.replay(&["-s", "redis.prefix=p", &file]);
    assert_ended(&output, 65, ": 5 written, 0 skipped, 1 dead-lettered, 0 failed");
    for key in ["p:user:o", "user:i", "q:user:l1", "q:user:l2", "p:user:e"] {
        assert_eq!(field(&redis, key, "n"), "1", "{key}");
    }
    redis.cli(&["FLUSHALL"]);
    let output = place.replay(&["-s", "redis.prefix=p", "--format", "dead-letters", &file]);
    assert_ended(&output, 65, ": 4 written, 0 skipped, 2 dead-lettered, 0 failed");
}

#[test]
fn the_open_dead_letter_file_is_refused() {
    let redis = Redis::start();
    let place = Place::new(redis.port());
    let letters = place.write("data/dead-letters.ndjson", event("u", 1));
    let before = std::fs::read(&letters).unwrap();
    let data = place.data();
    let link = place.path("link.ndjson");
    std::os::unix::fs::symlink(&letters, &link).unwrap();
    let pattern = place.path("data/*.ndjson");
    for name in [Path::new(&letters), &data, &link, &pattern] {
        let output = place.replay(&[name.to_str().unwrap()]);
        assert_ended(&output, 78, "mv ");
        assert!(err(&output).contains("-HUP"));
    }
    let settings = place.settings();
    let input = std::fs::File::open(&letters).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args(&settings)
        .args(["replay", "-"])
        .stdin(input)
        .output()
        .unwrap();
    assert_ended(&output, 78, "mv ");
    assert_eq!(std::fs::read(&letters).unwrap(), before);
    assert!(redis.hgetall("user:u").is_empty());
}

#[test]
fn a_dry_run_needs_no_redis_and_writes_nothing() {
    let place = Place::new(free_port());
    let lines = [
        event("a", 1),
        event("b", 1),
        "\n".to_owned(),
        "{\"type\":\"track\"}\n".to_owned(),
        "{\"userId\":\"c\"}\n".to_owned(),
        "{\"type\":\"track\"}\n".to_owned(),
    ];
    let good = place.write("good.gz", gzip(&lines.concat()));
    let result = |output: &Output| -> Value {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
    };
    let output = place.replay(&["--dry-run", "--rate", "1", &good]);
    assert_ended(&output, 0, "nothing was written");
    let skipped = json!({"empty": 1, "not_identify": 2, "no_type": 1});
    let expected = json!({"events": 6, "written": 2, "skipped": skipped, "dead_lettered": {}});
    assert_eq!(result(&output), expected);
    assert!(output.stdout.starts_with(b"{\"events\":6,\"written\":2,\"skipped\":{"), "the order");
    let bad = place.write("bad.ndjson", "{broken\n[7]\n");
    let output = place.replay(&["-q", "--dry-run", &bad, &good]);
    assert_ended(&output, 65, "");
    assert_eq!(result(&output)["dead_lettered"], json!({"invalid_json": 1, "not_an_object": 1}));
    assert!(!place.data().exists(), "neither dead letters nor a checkpoint");
    let output = place.replay(&["--dry-run", "/does/not/exist"]);
    assert_ended(&output, 74, "/does/not/exist");
}

#[test]
fn a_dead_letter_topic_must_be_configured() {
    let place = Place::new(free_port());
    let output = place.replay(&["--dead-letter-topic"]);
    let code = if cfg!(feature = "kafka") { 78 } else { 64 };
    assert_ended(&output, code, "--dead-letter-topic");
}
