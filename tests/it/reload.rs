//! The configuration is read again while the worker runs: all of it is taken over, or nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::Signal;

use crate::faults::{check, load_of, progress};
use crate::harness::app::App;
use crate::harness::certs::Authority;
use crate::harness::http::Client;
use crate::harness::load::OnError;
use crate::harness::redis::Redis;
use crate::harness::{eventually, run};
use crate::worker_tls::rediss;

/// A worker with a configuration file of its own.
struct Configured {
    app: App,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Configured {
    fn start(text: &str, settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("traitsink.toml");
        fs::write(&file, text).expect("writing the configuration");
        let app = start(&file, settings);
        Self { app, file, _dir: dir }
    }

    /// Writes the file anew and sends SIGHUP; waits for the end of the reload.
    fn reload(&self, text: &str) {
        fs::write(&self.file, text).expect("writing the configuration");
        hang_up(&self.app);
    }
}

fn start(file: &Path, settings: &[&str]) -> App {
    let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
    command.arg("-c").arg(file);
    let app = App::start_command(command, settings);
    app.wait_ready();
    app
}

fn reloads(app: &App, result: &str) -> f64 {
    app.metric("traitsink_config_reloads_total", &format!("result=\"{result}\""))
}

fn is_successful(app: &App) -> bool {
    app.metric("traitsink_config_last_reload_successful", "") == 1.0
}

/// Sends SIGHUP, and waits until the reload ended.
fn hang_up(app: &App) {
    let ended = || app.metric("traitsink_config_reloads_total", "");
    let before = ended();
    app.signal(Signal::SIGHUP);
    eventually("the configuration is read again", || ended() == before + 1.0);
}

/// The status of an event that is sent with `key` as its write key.
fn post(client: &mut Client, key: &str, event: &str) -> Option<u16> {
    let credentials = format!("Basic {}", STANDARD.encode(format!("{key}:")));
    let headers = [("authorization", credentials.as_str())];
    Some(client.send("POST", "/v1/identify", &headers, event.as_bytes())?.status)
}

fn status(app: &App, key: &str) -> u16 {
    let event = r#"{"userId":"probe","traits":{"a":1}}"#;
    post(&mut app.client(), key, event).expect("an answer")
}

/// Users whose events carry rising numbers, sent with the write key of the moment.
struct KeyedLoad {
    key: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
    writers: Vec<std::thread::JoinHandle<(String, u64)>>,
}

impl KeyedLoad {
    fn start(app: &App, key: &str) -> Self {
        let key = Arc::new(Mutex::new(key.to_owned()));
        let (stop, acked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let writers = (0..4).map(|number| {
            let (key, stop, acked) = (Arc::clone(&key), Arc::clone(&stop), Arc::clone(&acked));
            let mut client = app.client();
            std::thread::spawn(move || {
                let user = format!("k{number}");
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    let event = format!(r#"{{"userId":"{user}","traits":{{"seq":{}}}}}"#, sent + 1);
                    let key = key.lock().unwrap().clone();
                    // An event with an old key is sent again with the key of the moment.
                    match post(&mut client, &key, &event).expect("an answer") {
                        200 => {
                            sent += 1;
                            acked.fetch_add(1, Ordering::Relaxed);
                        }
                        status => assert_eq!(status, 401),
                    }
                }
                (user, sent)
            })
        });
        Self { writers: writers.collect(), key, stop, acked }
    }

    fn progress(&self) {
        let before = self.acked.load(Ordering::Relaxed);
        eventually("events are acknowledged", || self.acked.load(Ordering::Relaxed) >= before + 50);
    }

    fn stop_and_check(self, redis: &Redis) {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            let (user, sent) = writer.join().expect("a writer does not panic");
            let hash = redis.hgetall(&format!("user:{user}"));
            assert_eq!(hash[&b"seq"[..]], sent.to_string().into_bytes(), "{user}");
        }
    }
}

#[test]
fn write_keys_change_under_load_and_nothing_is_lost() {
    let redis = Redis::start();
    let text = |key: &str, prefix: &str| {
        format!(
            "[redis]\nurl = \"redis://127.0.0.1:{}\"\n[http]\nwrite_keys = [\"{key}\"]\n\
             [[http.sources]]\nwrite_key = \"web\"\nprefix = \"{prefix}\"\n",
            redis.port()
        )
    };
    let worker = Configured::start(&text("canary-0", "p0"), &[]);
    assert!(is_successful(&worker.app));
    let load = KeyedLoad::start(&worker.app, "canary-0");
    for number in 1..=5 {
        load.progress();
        let (old, new) = (format!("canary-{}", number - 1), format!("canary-{number}"));
        worker.reload(&text(&new, &format!("p{number}")));
        *load.key.lock().unwrap() = new.clone();
        assert_eq!((status(&worker.app, &old), status(&worker.app, &new)), (401, 200));
        assert_eq!(status(&worker.app, "web"), 200);
        assert!(!redis.hgetall(&format!("p{number}:user:probe")).is_empty());
    }
    load.progress();
    load.stop_and_check(&redis);
    worker.app.assert_at_rest();
    assert_eq!((reloads(&worker.app, "applied"), reloads(&worker.app, "refused")), (5.0, 0.0));
    let line = worker.app.wait_for_line("the configuration was read again and is in use");
    assert!(line.contains("http.sources[0].prefix, http.write_keys"), "{line}");
    assert!(!worker.app.log().join("\n").contains("canary"));
}

#[test]
fn the_password_changes_under_load() {
    let mut redis = Redis::builder().password("canary-1").start();
    let url = |password: &str| {
        format!("[redis]\nurl = \"redis://:{password}@127.0.0.1:{}\"\n", redis.port())
    };
    let (first, second) = (url("canary-1"), url("canary-2"));
    let separate = format!(
        "[redis]\nurl = \"redis://127.0.0.1:{}\"\npassword_command = [\"echo\", \"canary-3\"]\n",
        redis.port()
    );
    let worker = Configured::start(&first, &[]);
    let load = load_of(&worker.app, OnError::Retry);
    progress(&load, 50);
    for (password, text) in [("canary-2", &second), ("canary-3", &separate)] {
        redis.set_password(password);
        worker.reload(text);
        assert!(is_successful(&worker.app));
        redis.kill_clients();
        progress(&load, 50);
    }
    assert_eq!(load.refused(), 0, "a rotation fails no request");
    check(&redis, &load.stop());
    worker.app.assert_at_rest();
    assert!(!worker.app.log().join("\n").contains("canary"));
}

#[test]
fn the_log_level_changes() {
    let redis = Redis::start();
    let url = format!("[redis]\nurl = \"redis://127.0.0.1:{}\"\n", redis.port());
    let worker = Configured::start(&url, &[]);
    let text = |level: &str| format!("{url}[log]\nlevel = \"{level}\"\n");
    assert_eq!(status(&worker.app, "x"), 200);
    worker.reload(&text("debug"));
    worker.app.wait_for_line("is in use");
    assert_eq!(status(&worker.app, "x"), 200);
    worker.app.wait_for_line("\"level\":\"DEBUG\"");
    worker.reload(&text("error"));
    let told = || {
        let log = worker.app.log();
        log.iter().filter(|line| line.contains("is in use")).count()
    };
    let before = told();
    worker.reload(&text("error"));
    worker.reload(&text("info"));
    worker.app.wait_for_line("\"keys\":\"log.level\"");
    eventually("the last reload is logged", || told() == before + 1);
}

#[test]
fn one_wrong_key_refuses_the_whole() {
    let redis = Redis::start();
    let text =
        |rest: &str| format!("[redis]\nurl = \"redis://127.0.0.1:{}\"\n{rest}", redis.port());
    let keys = |keys: &str| text(&format!("[http]\nwrite_keys = [{keys}]\n"));
    let worker = Configured::start(&keys("\"old\""), &[]);
    let is_unchanged = |refused: f64| {
        assert_eq!(reloads(&worker.app, "refused"), refused);
        assert!(!is_successful(&worker.app));
        assert_eq!((status(&worker.app, "old"), status(&worker.app, "new")), (200, 401));
        assert!(worker.app.ready());
    };
    let new = "[http]\nwrite_keys = [\"new\"]\n";
    // A key that needs a restart, beside one that does not.
    worker.reload(&text(&format!("prefix = \"canary\"\n{new}")));
    worker.app.wait_for_line("redis.prefix: changed, which needs a restart");
    is_unchanged(1.0);
    // A value that is wrong.
    worker.reload(&text(&format!("connect_timeout = \"soon\"\n{new}")));
    worker.app.wait_for_line("redis.connect_timeout (file ");
    is_unchanged(2.0);
    // No TOML.
    worker.reload(&text(&format!("{new}[http\n")));
    worker.app.wait_for_line("traitsink.toml: line ");
    is_unchanged(3.0);
    // A command that cannot be run: only `check` would notice.
    worker.reload(&text(&format!("password_command = [\"/no/such/program\"]\n{new}")));
    worker.app.wait_for_line("/no/such/program");
    is_unchanged(4.0);
    // No file.
    fs::remove_file(&worker.file).expect("removing the file");
    hang_up(&worker.app);
    worker.app.wait_for_line("traitsink.toml: cannot be read");
    is_unchanged(5.0);

    worker.reload(&keys("\"new\""));
    assert!(is_successful(&worker.app));
    assert_eq!((status(&worker.app, "old"), status(&worker.app, "new")), (401, 200));
    assert_eq!(reloads(&worker.app, "applied"), 1.0);
    assert!(!worker.app.log().join("\n").contains("canary"));
}

#[test]
fn certificates_may_move_and_a_wrong_one_refuses_the_whole() {
    let authority = Authority::new("CA");
    let redis = Redis::builder()
        .mutual_tls(&authority.server(&["127.0.0.1"]), &authority.ca_file())
        .start();
    let other = Authority::new("another CA");
    let text = |key: &Path, level: &str| {
        format!(
            "[redis]\nurl = \"{}\"\n[redis.tls]\nca_file = {:?}\ncert_file = {:?}\n\
             key_file = {key:?}\n[log]\nlevel = \"{level}\"\n",
            rediss(&redis),
            authority.ca_file(),
            authority.dir().join("client.pem")
        )
    };
    let issued = authority.client();
    let moved = authority.dir().join("moved.key");
    fs::copy(&issued.key, &moved).expect("copying the key");
    let worker = Configured::start(&text(&issued.key, "info"), &[]);
    worker.reload(&text(&other.client().key, "debug"));
    worker.app.wait_for_line("does not belong to the certificate");
    assert!(!is_successful(&worker.app));
    worker.reload(&text(&moved, "info"));
    assert!(is_successful(&worker.app));
    fs::remove_file(&issued.key).expect("removing the key");
    redis.kill_clients();
    assert_eq!(status(&worker.app, "x"), 200);
    worker.app.wait_ready();
}

/// Kubernetes mounts a ConfigMap as links through `..data`, and swaps that link.
#[test]
fn a_watched_file_is_read_again_when_a_link_is_swapped() {
    let redis = Redis::start();
    let dir = tempfile::tempdir().expect("a directory");
    let version = |name: &str, key: &str| {
        let version = dir.path().join(name);
        fs::create_dir(&version).expect("a directory");
        let text = format!(
            "[redis]\nurl = \"redis://127.0.0.1:{}\"\n[http]\nwrite_keys_file = {:?}\n\
             [reload]\nwatch = true\n",
            redis.port(),
            dir.path().join("keys")
        );
        fs::write(version.join("traitsink.toml"), text).expect("writing the configuration");
        fs::write(version.join("keys"), key).expect("writing the keys");
        symlink(name, dir.path().join("..next")).expect("a link");
        fs::rename(dir.path().join("..next"), dir.path().join("..data")).expect("a swap");
    };
    version("..v1", "old\n");
    for name in ["traitsink.toml", "keys"] {
        symlink(Path::new("..data").join(name), dir.path().join(name)).expect("a link");
    }
    let app = start(&dir.path().join("traitsink.toml"), &[]);
    assert_eq!((status(&app, "old"), status(&app, "new")), (200, 401));
    version("..v2", "new\n");
    fs::remove_dir_all(dir.path().join("..v1")).expect("removing the former directory");
    eventually("the change is noticed", || reloads(&app, "applied") == 1.0);
    assert_eq!((status(&app, "old"), status(&app, "new")), (401, 200));
    // A wrong one is refused once, and the next right one is taken over.
    version("..v3", "");
    eventually("the error is noticed", || reloads(&app, "refused") == 1.0);
    assert_eq!(status(&app, "new"), 200);
    version("..v4", "newer\n");
    eventually("the cure is noticed", || reloads(&app, "applied") == 2.0);
    assert_eq!((status(&app, "new"), status(&app, "newer")), (401, 200));
    assert_eq!(reloads(&app, "refused"), 1.0);
}

#[test]
fn a_refused_reload_closes_the_dead_letter_file_too() {
    let redis = Redis::start();
    redis.cli(&["SET", "user:probe", "no hash"]);
    let text = format!("[redis]\nurl = \"redis://127.0.0.1:{}\"\n", redis.port());
    let worker = Configured::start(&text, &[]);
    assert_eq!(status(&worker.app, "x"), 200);
    assert_eq!(worker.app.dead_letters().len(), 1);
    let open = || {
        let open = fs::read_dir(format!("/proc/{}/fd", worker.app.pid())).expect("a process");
        let names = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        names.filter(|name| name.to_string_lossy().contains("dead-letters.ndjson")).count()
    };
    assert_eq!(open(), 1);
    worker.reload("[redis\n");
    assert!(!is_successful(&worker.app));
    eventually("the file is closed", || open() == 0);
    assert_eq!(status(&worker.app, "x"), 200);
    assert_eq!(worker.app.dead_letters().len(), 2);
}

#[test]
fn a_pipe_cannot_be_read_again() {
    let redis = Redis::start();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("traitsink.toml");
    run("mkfifo", &["traitsink.toml"], dir.path());
    let text = format!("[redis]\nurl = \"redis://127.0.0.1:{}\"\n", redis.port());
    let pipe = file.clone();
    let writer = std::thread::spawn(move || fs::write(pipe, text).expect("writing to the pipe"));
    let mut app = start(&file, &[]);
    writer.join().expect("writing does not panic");
    hang_up(&app);
    app.wait_for_line("traitsink.toml is no regular file and cannot be read a second time");
    assert!(!is_successful(&app) && app.ready());
    app.signal(Signal::SIGTERM);
    assert!(app.wait(Duration::from_secs(20)).success());
}
