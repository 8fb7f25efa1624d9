//! Operators and other processes change the dead-letter file; no letter acknowledged afterwards is
//! missing or damaged.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::app::{App, run};
use crate::harness::redis::Redis;
use crate::harness::{self, eventually};

/// A worker, and a Redis that refuses every write for user `s`.
pub(crate) fn start(settings: &[&str]) -> (Redis, App) {
    let redis = Redis::start();
    redis.cli(&["SET", "user:s", "a string"]);
    let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), settings);
    app.wait_ready();
    (redis, app)
}

pub(crate) fn event(number: u64) -> String {
    format!(r#"{{"type":"identify","userId":"s","traits":{{"n":{number}}}}}"#)
}

/// Sends an event that becomes a dead letter; true if it is acknowledged.
pub(crate) fn send(app: &App, number: u64) -> bool {
    let status = app.client().post("/v1/identify", event(number)).expect("an answer").status;
    assert!(matches!(status, 200 | 503), "{status}");
    status == 200
}

/// The numbers of the letters in a file; asserts that each line is JSON.
pub(crate) fn numbers(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let number = |line: &str| {
        let letter: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let event: serde_json::Value =
            serde_json::from_str(letter["event"].as_str().expect("a text")).expect("JSON");
        event["traits"]["n"].as_u64().expect("a number")
    };
    text.lines().filter(|line| !line.is_empty()).map(number).collect()
}

/// Runs a shell command in the directory of the dead letters.
fn shell(app: &App, line: &str) {
    harness::run("sh", &["-ec", line], app.data_dir());
}

/// A shell command that rotates the file at once.
fn logrotate(how: &str) -> String {
    format!(
        "printf '%s\n' \"$PWD/dead-letters.ndjson {{\" 'rotate 9' '{how}' '}}' >rotate.conf
         chmod 600 rotate.conf
         logrotate --force --state \"$PWD/rotate.state\" rotate.conf"
    )
}

/// Shell commands that leave the file, if any, without the letters it held before.
fn changes() -> Vec<String> {
    let other_file =
        "umask 077; touch new; mv dead-letters.ndjson gone; mv new dead-letters.ndjson";
    let plain = [
        "rm dead-letters.ndjson",
        "mv dead-letters.ndjson moved",
        ": >dead-letters.ndjson",
        other_file,
    ];
    let rotations = ["create 0600", "copytruncate", "create 0600\ncompress"].map(logrotate);
    plain.into_iter().map(str::to_owned).chain(rotations).collect()
}

#[test]
fn the_next_letter_lands_whole_in_the_file_that_has_the_path() {
    let (_redis, app) = start(&[]);
    let file = app.dead_letter_file();
    assert!(send(&app, 0));
    for (number, change) in (1..).step_by(2).zip(changes()) {
        shell(&app, &change);
        assert!(send(&app, number) && send(&app, number + 1), "{change}");
        assert_eq!(numbers(&file), [number, number + 1], "{change}");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{change}");
    }
    app.assert_at_rest();
}

#[test]
fn a_full_file_has_room_again_once_it_is_moved_or_emptied() {
    let (_redis, app) = start(&["dead_letter.max_size=500B"]);
    let mut number = 0;
    for change in changes() {
        while send(&app, number) {
            number += 1;
        }
        shell(&app, &change);
        assert!(send(&app, number), "{change}");
        assert_eq!(numbers(&app.dead_letter_file()), [number], "{change}");
        number += 1;
    }
    app.assert_at_rest();
}

#[test]
fn a_directory_that_vanished_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new/letters.ndjson");
    let (_redis, app) = start(&[&format!("dead_letter.path={}", file.display())]);
    assert!(send(&app, 1));
    std::fs::remove_dir_all(dir.path().join("new")).unwrap();
    assert!(send(&app, 2));
    assert_eq!(numbers(&file), [2]);
    assert_eq!(dir.path().join("new").metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn half_a_line_spoils_no_letter() {
    let (_redis, app) = start(&[]);
    let path = app.dead_letter_file();
    assert!(send(&app, 1));
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"at\":\"2026").unwrap();
    assert!(send(&app, 2) && send(&app, 3));
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[1]), (4, "{\"at\":\"2026"), "{text}");
    std::fs::write(&path, [lines[0], lines[2], lines[3]].join("\n")).unwrap();
    assert_eq!(numbers(&path), [1, 2, 3]);
    // The file now ends without a newline, as editors leave it.
    assert!(send(&app, 4));
    assert_eq!(numbers(&path), [1, 2, 3, 4]);
}

#[test]
fn only_a_regular_file_is_written_to() {
    let (redis, app) = start(&[]);
    let path = app.dead_letter_file();
    for (number, (make, what)) in (1..).zip([
        ("mkfifo", "a FIFO"),
        ("mkdir", "a directory"),
        ("ln -s elsewhere", "a symbolic link"),
    ]) {
        shell(&app, &format!("rm dead-letters.ndjson; {make} dead-letters.ndjson"));
        assert!(!send(&app, number), "{what}");
        let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
        let data_dir = format!("data_dir={}", app.data_dir().display());
        let output = run(&["-s", &url, "-s", &data_dir, "replay", "-"], b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(74) && said.contains(what), "{said}");
        shell(&app, "rm -r dead-letters.ndjson; touch dead-letters.ndjson");
        assert!(send(&app, number));
        assert_eq!(numbers(&path), [number]);
    }
    app.wait_for_line("the events are not acknowledged");
    let said = app
        .log()
        .into_iter()
        .filter(|line| line.contains("the events are not acknowledged"))
        .count();
    assert_eq!(said, 1, "once in a while, not with every request");
}

#[test]
fn a_hangup_has_the_file_closed() {
    let (_redis, app) = start(&[]);
    let path = app.dead_letter_file();
    let open = || {
        let links = std::fs::read_dir(format!("/proc/{}/fd", app.pid())).unwrap();
        links
            .filter_map(|link| std::fs::read_link(link.ok()?.path()).ok())
            .any(|to| to.starts_with(&path))
    };
    assert!(send(&app, 1) && open());
    std::fs::rename(&path, app.data_dir().join("moved")).unwrap();
    app.signal(Signal::SIGHUP);
    eventually("the signal is logged", || app.log().iter().any(|line| line.contains("SIGHUP")));
    assert!(!open() && !path.exists());
    assert!(send(&app, 2));
    assert_eq!((numbers(&path), numbers(&app.data_dir().join("moved"))), (vec![2], vec![1]));
    app.assert_at_rest();
}

#[test]
fn a_process_that_keeps_the_file_locked_is_named() {
    let (_redis, app) = start(&[]);
    let file = File::open(app.dead_letter_file()).unwrap();
    file.lock().unwrap();
    assert!(!send(&app, 1));
    eventually("the log names the lock", || {
        app.log().iter().any(|line| line.contains("keeps the dead-letter file"))
    });
    file.unlock().unwrap();
    assert!(send(&app, 2));
    assert!(numbers(&app.dead_letter_file()).contains(&2));
}

#[test]
fn others_who_may_read_or_replace_the_file_are_a_warning() {
    let (redis, data) = (Redis::start(), tempfile::tempdir().unwrap());
    std::fs::write(data.path().join("dead-letters.ndjson"), "").unwrap();
    let settings = [
        format!("redis.url=redis://127.0.0.1:{}", redis.port()),
        format!("data_dir={}", data.path().display()),
    ];
    let said = |verb: &[&str]| {
        let output = run(&[&["-s", &settings[0], "-s", &settings[1]], verb].concat(), b"");
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    for (file, directory, named) in
        [(0o640, 0o700, "0640"), (0o600, 0o777, "0777"), (0o600, 0o755, "")]
    {
        let chmod = |name: &str, mode| {
            std::fs::set_permissions(data.path().join(name), std::fs::Permissions::from_mode(mode))
                .unwrap();
        };
        chmod("dead-letters.ndjson", file);
        chmod("", directory);
        for verb in [&["check"][..], &["replay", "-"]] {
            let said = said(verb);
            assert!(
                said.contains("other users") != named.is_empty() && said.contains(named),
                "{verb:?}: {said}"
            );
        }
    }
}
