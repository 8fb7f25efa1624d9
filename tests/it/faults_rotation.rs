//! Passwords and certificates change under load: new connections use the new ones, and no request
//! fails. Row H1 of the test plan (tests/FAULTS.md).

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::faults::{check, load_of, progress};
use crate::harness::app::{App, run};
use crate::harness::certs::{Authority, Issued};
use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::load::OnError;
use crate::harness::matrix::play;
use crate::harness::redis::Redis;
use crate::worker_tls::{rediss, waits_for};

/// Number of log lines that contain `words`; the latest lines may not be written yet.
fn count_lines(app: &App, words: &str) -> usize {
    app.log().iter().filter(|line| line.contains(words)).count()
}

/// Waits until the log has exactly `times` lines that contain `words`.
fn wait_for_lines(app: &App, words: &str, times: usize) {
    eventually(words, || count_lines(app, words) == times);
}

/// Checks that the ledger closes, and ends the worker, so that its log is complete.
fn finish(mut app: App) -> App {
    app.assert_at_rest();
    app.signal(Signal::SIGTERM);
    assert!(app.wait(Duration::from_secs(20)).success());
    app
}

fn set_password(redis: &Redis, password: &str) {
    redis.cli(&["ACL", "SETUSER", "worker", "resetpass", &format!(">{password}")]);
}

fn server() -> Redis {
    Redis::builder().option("user", "worker on >canary-1 ~user:* +@all").start()
}

fn start(redis: &Redis, settings: &[&str]) -> App {
    let app = App::start(&format!("redis://worker@127.0.0.1:{}", redis.port()), settings);
    app.wait_ready();
    app
}

#[test]
fn h1_the_password_file_changes() {
    play("H1", "the password file changes", 2..=3, |_| {
        let redis = server();
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("password");
        fs::write(&file, "canary-1\n").expect("writing the password");
        let app = start(&redis, &[&format!("redis.password_file={}", file.display())]);
        let load = load_of(&app, OnError::Retry);
        progress(&load, 50);

        set_password(&redis, "canary-2");
        fs::write(&file, "canary-2\n").expect("writing the password");
        redis.kill_clients();
        progress(&load, 50);

        // A file that can no longer be read is reported once, and the last password stays in use.
        fs::write(&file, "").expect("emptying the file");
        for _ in 0..2 {
            redis.kill_clients();
            progress(&load, 50);
        }
        wait_for_lines(&app, "password is empty; the password that it held before stays in use", 1);
        fs::remove_file(&file).expect("removing the file");
        redis.kill_clients();
        progress(&load, 50);
        assert_eq!(load.refused(), 0, "a rotation fails no request");

        // The server changes first: no request fails meanwhile.
        set_password(&redis, "canary-3");
        redis.kill_clients();
        waits_for(&app, "check redis.username and redis.password");
        fs::write(&file, "canary-3").expect("writing the password");
        progress(&load, 50);
        check(&redis, &load.stop());
        let app = finish(app);
        assert_eq!(count_lines(&app, "redis.password_file"), 1, "reported once");
        assert_eq!(count_lines(&app, "canary"), 0, "{}", app.log().join("\n"));
    });
}

#[test]
fn h1_the_password_command_tells_another_one() {
    play("H1", "the password command tells another one", 2..=3, |_| {
        let redis = server();
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("password");
        fs::write(&file, "canary-1\n").expect("writing the password");
        let app =
            start(&redis, &[&format!("redis.password_command=[\"cat\", \"{}\"]", file.display())]);
        let load = load_of(&app, OnError::Retry);
        progress(&load, 50);
        set_password(&redis, "canary-2");
        fs::write(&file, "canary-2\n").expect("writing the password");
        redis.kill_clients();
        progress(&load, 50);
        assert_eq!(load.refused(), 0, "a rotation fails no request");

        fs::remove_file(&file).expect("removing the file");
        redis.kill_clients();
        waits_for(&app, r#"redis.password_command: \"cat\" ended with exit status: 1"#);
        assert!(
            app.metric("traitsink_redis_errors_total", "class=\"config\",code=\"NONE\"") >= 1.0
        );
        fs::write(&file, "canary-2\n").expect("writing the password");
        progress(&load, 50);
        app.wait_ready();
        check(&redis, &load.stop());
        let app = finish(app);
        assert_eq!(count_lines(&app, "canary"), 0, "{}", app.log().join("\n"));
    });
}

#[test]
fn check_runs_the_password_command() {
    let redis = server();
    let url = format!("redis.url=redis://worker@127.0.0.1:{}", redis.port());
    for (command, verb, code, words) in [
        ("[\"echo\", \"canary-1\"]", &["check"][..], 0, "as user \"worker\""),
        ("[\"echo\", \"canary-1\"]", &["check", "--connect"], 0, "reached"),
        (
            "[\"sh\", \"-c\", \"echo canary-1; exit 4\"]",
            &["check"],
            78,
            "\"sh\" ended with exit status: 4; run it by hand",
        ),
        (
            "[\"/no/such/program\"]",
            &["check"],
            78,
            "\"/no/such/program\" cannot be started: No such file",
        ),
        ("[\"echo\", \"canary-2\"]", &["check", "--connect"], 69, "WRONGPASS"),
    ] {
        let setting = format!("redis.password_command={command}");
        let options = ["-s", &url, "-s", "data_dir=/tmp", "-s", &setting];
        let output = run(&[&options[..], verb].concat(), b"");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        assert_eq!(output.status.code(), Some(code), "{command} {verb:?}: {text}");
        assert!(text.contains(words) && !text.contains("canary"), "{command} {verb:?}: {text}");
    }
}

/// The files of the worker's CA, certificate and key.
struct Files<'a> {
    dir: &'a Path,
}

impl Files<'_> {
    /// Replaces the files, one after the other, with those issued by `authority`.
    fn replace(&self, authority: &Authority, client: &Issued) {
        for (name, from) in [
            ("ca.pem", &authority.ca_file()),
            ("client.pem", &client.certificate),
            ("client.key", &client.key),
        ] {
            fs::copy(from, self.dir.join(name)).expect("copying PEM");
        }
    }

    fn settings(&self) -> [String; 3] {
        let option =
            |key: &str, name: &str| format!("redis.tls.{key}={}", self.dir.join(name).display());
        [
            option("ca_file", "ca.pem"),
            option("cert_file", "client.pem"),
            option("key_file", "client.key"),
        ]
    }
}

const USED: &str = "the TLS files changed and are in use";
const KEPT: &str = "the TLS files changed and cannot be used, so the former ones stay in use";

#[test]
fn h1_certificates_of_another_authority() {
    play("H1", "certificates of another authority", 2..=3, |_| {
        let (old, new) = (Authority::new("old CA"), Authority::new("new CA"));
        let redis =
            Redis::builder().mutual_tls(&old.server(&["127.0.0.1"]), &old.ca_file()).start();
        let dir = tempfile::tempdir().expect("a directory");
        let files = Files { dir: dir.path() };
        files.replace(&old, &old.client());
        let settings = files.settings();
        let app = App::start(&rediss(&redis), &settings.each_ref().map(String::as_str));
        app.wait_ready();
        let load = load_of(&app, OnError::Retry);
        progress(&load, 50);

        files.replace(&new, &new.client());
        let (server, ca) = (new.server(&["127.0.0.1"]), new.ca_file());
        let [certificate, key, ca] =
            [&server.certificate, &server.key, &ca].map(|path| path.display().to_string());
        let options = [
            "CONFIG",
            "SET",
            "tls-cert-file",
            &certificate,
            "tls-key-file",
            &key,
            "tls-ca-cert-file",
            &ca,
        ];
        assert_eq!(redis.cli(&options), redis::Value::Okay);
        redis.kill_clients();
        progress(&load, 50);
        wait_for_lines(&app, USED, 1);

        for (name, before) in [("ca.pem", 0), ("client.key", 1)] {
            let good = fs::read(dir.path().join(name)).expect("reading PEM");
            fs::write(dir.path().join(name), "not PEM").expect("writing");
            for _ in 0..2 {
                redis.kill_clients();
                progress(&load, 50);
            }
            wait_for_lines(&app, KEPT, before + 1);
            fs::write(dir.path().join(name), good).expect("writing");
            redis.kill_clients();
            progress(&load, 50);
            wait_for_lines(&app, USED, before + 2);
        }
        assert_eq!(load.refused(), 0, "a rotation fails no request");
        assert_eq!(Client::new(app.admin).get("/ready").map(|answer| answer.status), Some(200));
        check(&redis, &load.stop());
        let app = finish(app);
        assert_eq!(
            (count_lines(&app, USED), count_lines(&app, KEPT)),
            (3, 2),
            "each change is reported once"
        );
    });
}
