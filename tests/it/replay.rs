//! `traitsink replay`: files through the real binary into a real Redis.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::golden::{self, Case, Expect};
use crate::harness::app::run;
use crate::harness::eventually;
use crate::harness::redis::{Redis, free_port};

/// Runs `replay` with `input` as its standard input, and with its own data directory.
fn replay(port: u16, data: &Path, more: &[&str], input: &[u8]) -> Output {
    let settings =
        [format!("redis.url=redis://127.0.0.1:{port}"), format!("data_dir={}", data.display())];
    let mut args = vec!["-s", &settings[0], "-s", &settings[1], "replay", "-"];
    args.extend(more);
    run(&args, input)
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn letters(data: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(data.join("dead-letters.ndjson")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("one line of JSON")).collect()
}

#[test]
fn each_hash_is_the_fold_of_its_events() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let mut expected: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut input = String::new();
    for number in 0..20_000 {
        let (user, field) = (fastrand::u32(0..50), fastrand::u32(0..8));
        input.push_str(&format!(
            "{{\"type\":\"identify\",\"userId\":\"u{user}\",\
             \"traits\":{{\"seq\":{number},\"f{field}\":{number}}}}}\n"
        ));
        let hash = expected.entry(format!("user:u{user}")).or_default();
        hash.extend([
            ("seq".to_owned(), number.to_string()),
            (format!("f{field}"), number.to_string()),
        ]);
    }
    let output = replay(redis.port(), data.path(), &[], input.as_bytes());
    assert!(output.status.success(), "{}", err(&output));
    assert!(
        err(&output).contains("20000 written, 0 skipped, 0 dead-lettered, 0 failed"),
        "{}",
        err(&output)
    );
    for (key, hash) in expected {
        let found = redis.hgetall(&key);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let found: BTreeMap<String, String> =
            found.into_iter().map(|(name, value)| (text(name), text(value))).collect();
        assert_eq!(found, hash, "{key}");
    }
}

#[test]
fn what_cannot_be_read_goes_to_the_dead_letters_and_its_neighbours_to_redis() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let good = |user: u32| {
        format!("{{\"type\":\"identify\",\"userId\":\"u{user}\",\"traits\":{{\"a\":1}}}}\n")
            .into_bytes()
    };
    let input =
        [good(1), b"{\"broken\n".to_vec(), good(2), b"{\"type\":\"\xff\"}\n".to_vec(), good(3)]
            .concat();
    let output = replay(redis.port(), data.path(), &[], &input);
    assert_eq!(output.status.code(), Some(65), "{}", err(&output));
    for user in 1..=3 {
        assert_eq!(redis.hgetall(&format!("user:u{user}")).len(), 1);
    }
    let letters = letters(data.path());
    assert_eq!(letters.len(), 2);
    assert_eq!(
        (&letters[0]["reason"], &letters[0]["source"]),
        (&"invalid_json".into(), &"file".into())
    );
    assert_eq!(letters[0]["event"], "{\"broken");
    assert_eq!(
        (&letters[1]["reason"], &letters[1]["event_base64"]),
        (&"invalid_utf8".into(), &"eyJ0eXBlIjoi/yJ9".into())
    );
}

#[test]
fn blank_lines_are_skipped_and_lists_and_wrappers_opened() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let event = |user: &str| {
        format!("{{\"type\":\"identify\",\"userId\":\"{user}\",\"traits\":{{\"a\":1}}}}")
    };
    let text = serde_json::to_string(&event("c2")).unwrap();
    let lines = [
        "\u{feff}".to_owned(),
        event("e1"),
        String::new(),
        "\r".to_owned(),
        " \t".to_owned(),
        format!("[{},{},]", event("l1"), event("l2")),
        format!("{{\"batch\":[{}{}]}}", event("b1"), event("b2")),
        "[]".to_owned(),
        format!("{{\"message\":{}}}", event("m1")),
        format!("{{\"schema\":null,\"payload\":{}}}\r", event("c1")),
        format!("{{\"schema\":null,\"payload\":{text}}}"),
        format!("{{\"specversion\":\"1.0\",\"type\":\"x\",\"data\":{}}}", event("d1")),
        "{\"userId\":\"n1\",\"traits\":{\"a\":1}}".to_owned(),
        "\n".to_owned(),
    ];
    let output = replay(redis.port(), data.path(), &[], lines.join("\n").as_bytes());
    assert!(output.status.success(), "{}", err(&output));
    assert!(
        err(&output).contains(": 9 written, 7 skipped, 0 dead-lettered, 0 failed"),
        "{}",
        err(&output)
    );
    for user in ["e1", "l1", "l2", "b1", "b2", "m1", "c1", "c2", "d1"] {
        assert_eq!(redis.hgetall(&format!("user:{user}")).len(), 1, "{user}");
    }
}

#[test]
fn a_bad_element_of_a_list_is_a_dead_letter_of_its_own() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let good = r#"{"type":"identify","userId":"u","traits":{"a":1}}"#;
    let wrapped = r#"{"message":"{\"type\":\"identify\",\"userId\":}"}"#;
    let output =
        replay(redis.port(), data.path(), &[], format!("[7,{good},{wrapped}]\n").as_bytes());
    assert_eq!(output.status.code(), Some(65), "{}", err(&output));
    assert_eq!(redis.hgetall("user:u").len(), 1);
    let found: Vec<_> =
        letters(data.path()).into_iter().map(|letter| letter["event"].clone()).collect();
    assert_eq!(found, ["7", wrapped], "the unchanged text");
}

#[test]
fn a_file_that_cannot_be_read_is_found_before_anything_is_written() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let input = b"{\"type\":\"identify\",\"userId\":\"u\",\"traits\":{\"a\":1}}\n";
    let output = replay(redis.port(), data.path(), &["/does/not/exist"], input);
    assert_eq!(output.status.code(), Some(74));
    assert!(err(&output).contains("/does/not/exist"), "{}", err(&output));
    assert!(redis.hgetall("user:u").is_empty());
}

/// Starts a replay of `input` that cannot end by itself yet.
fn start(port: u16, data: &Path, input: &str) -> std::process::Child {
    let file = data.join("events.ndjson");
    std::fs::write(&file, input).unwrap();
    Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args([
            "-s",
            &format!("redis.url=redis://127.0.0.1:{port}"),
            "-s",
            &format!("data_dir={}", data.display()),
        ])
        .args(["-s", "delivery.stop_grace=1s", "--log-format", "json", "replay"])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(data.join("log")).unwrap())
        .spawn()
        .unwrap()
}

fn waits_for_redis(data: &Path) {
    let log = || std::fs::read_to_string(data.join("log")).unwrap_or_default();
    eventually("the log says that Redis refuses the connection", || log().contains("refused"));
}

const ONE: &str = "{\"type\":\"identify\",\"userId\":\"u\",\"traits\":{\"a\":1}}\n";

#[test]
fn waits_for_a_redis_that_is_not_there_yet() {
    let (mut redis, data) = (Redis::start(), TempDir::new().unwrap());
    redis.kill();
    let mut child = start(redis.port(), data.path(), ONE);
    waits_for_redis(data.path());
    redis.restart();
    assert!(child.wait().unwrap().success());
    assert_eq!(redis.hgetall("user:u").len(), 1);
}

#[test]
fn a_signal_ends_it_and_the_exit_code_says_that_events_are_missing() {
    let data = TempDir::new().unwrap();
    let mut child = start(free_port(), data.path(), ONE);
    waits_for_redis(data.path());
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75));
    let log = std::fs::read_to_string(data.path().join("log")).unwrap();
    assert!(log.contains("replay the files again"), "{log}");
}

/// When the signal comes, some events are in Redis and others can no longer get there.
#[test]
fn a_signal_in_the_middle_loses_nothing_that_a_second_replay_does_not_write() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
    let mut child = Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args([
            "-s",
            &url,
            "-s",
            &format!("data_dir={}", data.path().display()),
            "-s",
            "delivery.stop_grace=2s",
            "replay",
            "-",
        ])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let two = ONE.replace("\"a\":1", "\"b\":2");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(ONE.as_bytes()).unwrap();
    eventually("the first event is in Redis", || redis.hgetall("user:u").len() == 1);
    // The reply has left the server when the next command is answered.
    redis.cli(&["PING"]);
    redis.pause();
    stdin.write_all(two.as_bytes()).unwrap();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", err(&output));
    assert!(err(&output).contains(": 1 written, 0 skipped, 0 dead-lettered, "), "{}", err(&output));
    assert!(
        err(&output).contains("not all events were written: replay the files again"),
        "{}",
        err(&output)
    );
    redis.resume();
    let output = replay(redis.port(), data.path(), &[], [ONE, &two].concat().as_bytes());
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(redis.hgetall("user:u").len(), 2);
}

/// The limits and the prefix of a case, as settings.
fn settings(case: &Case) -> [String; 4] {
    let limits = &case.rules.limits;
    [
        format!("redis.prefix={}", serde_json::to_string(&case.prefix).unwrap()),
        format!("transform.max_depth={}", limits.max_depth),
        format!("transform.max_field_name={}B", limits.max_field_name),
        format!("transform.max_update={}B", limits.max_update),
    ]
}

/// `replay` writes exactly what the golden tables say, for every row that fits on a line; rows of
/// lists are left out, because `replay` opens lists.
#[test]
fn redis_holds_what_the_golden_tables_say() {
    let (redis, data) = (Redis::start(), TempDir::new().unwrap());
    let mut played = 0;
    let is_line = |case: &Case| {
        !case.input.contains(&b'\n') && !case.input.trim_ascii().is_empty() && case.input[0] != b'['
    };
    for case in golden::all_cases().chain(golden::wrapped_cases()).filter(is_line) {
        redis.cli(&["FLUSHALL"]);
        let [prefix, depth, name, update] = settings(&case);
        let settings = ["-s", &prefix, "-s", &depth, "-s", &name, "-s", &update];
        let output = replay(redis.port(), data.path(), &settings, &case.input);
        let expected: BTreeMap<Vec<u8>, Vec<u8>> = match &case.expect {
            Expect::Update { fields, .. } => fields
                .iter()
                .map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes()))
                .collect(),
            Expect::Skipped(_) | Expect::Rejected(_) => BTreeMap::new(),
        };
        let rejected = matches!(case.expect, Expect::Rejected(_));
        assert_eq!(
            output.status.code(),
            Some(if rejected { 65 } else { 0 }),
            "{}: {}",
            case.id,
            err(&output)
        );
        if let Expect::Update { key, .. } = &case.expect {
            assert_eq!(redis.hgetall(key), expected, "{}", case.id);
        }
        let keys: u64 = redis::from_redis_value(redis.cli(&["DBSIZE"])).unwrap();
        assert_eq!(keys, u64::from(!expected.is_empty()), "{}", case.id);
        played += 1;
    }
    assert!(played >= 330, "only {played} rows");
}
