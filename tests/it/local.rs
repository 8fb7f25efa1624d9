//! `redis.mode = local`: a server that starts and ends with the worker.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::Commands;
use tempfile::TempDir;

use crate::faults::{load_of, progress};
use crate::harness::app::{App, run};
use crate::harness::load::{OnError, User, check_users};
use crate::harness::matrix::play;
use crate::harness::redis::{Redis, free_port};
use crate::harness::{eventually, guide};

/// The local server of a worker. A killed worker leaves it running, also at the end of a test; it
/// is shut down on drop.
struct LocalServer {
    data: PathBuf,
}

impl LocalServer {
    fn socket(&self) -> PathBuf {
        self.data.join("redis.sock")
    }

    /// Connects like an operator who reads the log and the password file.
    fn open(&self) -> redis::RedisResult<redis::Connection> {
        let password =
            std::fs::read_to_string(self.data.join("traitsink.password")).unwrap_or_default();
        let login =
            if password.is_empty() { String::new() } else { format!("?pass={}", password.trim()) };
        redis::Client::open(format!("redis+unix://{}{login}", self.socket().display()))?
            .get_connection_with_timeout(Duration::from_secs(5))
    }

    fn connection(&self) -> redis::Connection {
        self.open().expect("the server answers")
    }

    fn pid(&self) -> Pid {
        let info: String = redis::cmd("INFO").arg("server").query(&mut self.connection()).unwrap();
        let pid =
            info.lines().find_map(|line| line.strip_prefix("process_id:")).expect("a process id");
        Pid::from_raw(pid.trim().parse().unwrap())
    }

    fn is_running(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }

    fn check(&self, users: &BTreeMap<String, User>) {
        check_users(users, |key| self.connection().hgetall(key).unwrap());
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        if let Ok(mut connection) = self.open() {
            let _closed = redis::cmd("SHUTDOWN").exec(&mut connection);
        }
    }
}

/// A stopped process; continues on drop.
struct StoppedProcess(Pid);

impl StoppedProcess {
    fn new(pid: Pid) -> Self {
        kill(pid, Signal::SIGSTOP).expect("a process");
        Self(pid)
    }
}

impl Drop for StoppedProcess {
    fn drop(&mut self) {
        let _gone = kill(self.0, Signal::SIGCONT);
    }
}

/// A worker, and its server with the data directory `data`. The worker is dropped first.
fn worker(data: &Path, more: &[&str]) -> (LocalServer, App) {
    let data_dir = format!("redis.local.data_dir={}", data.display());
    let app = App::start_with(&[&["redis.mode=local", &data_dir], more].concat());
    (LocalServer { data: data.canonicalize().unwrap() }, app)
}

#[test]
fn the_examples_of_the_guide_are_written() {
    for protocol in ["redis.protocol=2", "redis.protocol=3"] {
        let data = TempDir::new().unwrap();
        let (server, app) = worker(data.path(), &[&guide::WRITE_KEYS[..], &[protocol]].concat());
        guide::check_examples(&app, |key| server.connection().hgetall(key).unwrap());
    }
}

#[test]
fn it_keeps_what_it_was_given_and_ends_with_the_worker() {
    let data = TempDir::new().unwrap();
    let (server, mut app) = worker(data.path(), &["redis.database=20"]);
    let status =
        app.client().post("/v1/identify", r#"{"userId":"u","traits":{"a":1}}"#).unwrap().status;
    assert_eq!(status, 200);
    app.signal(Signal::SIGTERM);
    assert!(app.wait(Duration::from_secs(20)).success(), "{}", app.log().join("\n"));
    assert!(!server.is_running(), "the server still runs after its worker");

    let (server, _app) = worker(data.path(), &["redis.database=20", "redis.protocol=3"]);
    let mut connection = server.connection();
    redis::cmd("SELECT").arg(20).exec(&mut connection).unwrap();
    assert_eq!(connection.hget::<_, _, String>("user:u", "a").unwrap(), "1");
}

/// The output of `redis-cli` for another user of the machine.
fn as_nobody(arguments: &[&str]) -> String {
    let mut command = Command::new("runuser");
    command.args(["-u", "nobody", "--", "redis-cli"]).args(arguments);
    let output =
        command.output().expect("runuser (Debian package util-linux) and redis-cli are needed");
    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
}

/// TCP ports on which the process listens.
fn listening_ports(pid: Pid) -> Vec<String> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links: Vec<String> = links
        .filter_map(|link| {
            Some(std::fs::read_link(link.path()).ok()?.to_string_lossy().into_owned())
        })
        .collect();
    let table = ["tcp", "tcp6"]
        .map(|table| {
            std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default()
        })
        .concat();
    let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own = fields.filter(|fields| {
        fields.get(3) == Some(&"0A") && links.contains(&format!("socket:[{}]", fields[9]))
    });
    own.map(|fields| fields[1].to_owned()).collect()
}

#[test]
fn no_other_user_reaches_it() {
    let data = TempDir::new().unwrap();
    // A directory that an operator made and that everybody may read.
    let open = data.path().join("open");
    std::fs::create_dir(&open).unwrap();
    for directory in [data.path(), &open] {
        std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let (server, app) = worker(&open, &[]);
    assert_eq!(
        app.client().post("/v1/identify", r#"{"userId":"u","traits":{"a":1}}"#).unwrap().status,
        200
    );
    assert_eq!(listening_ports(server.pid()), Vec::<String>::new(), "a port is open");
    let socket = server.socket().display().to_string();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o700);
    app.wait_for_line(&format!("redis-cli -s {socket}"));
    let root = std::fs::metadata("/proc/self")
        .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if root {
        let said = as_nobody(&["-s", &socket, "FLUSHALL"]);
        assert!(said.contains("Permission denied"), "{said}");
    }
    assert_eq!(server.connection().hget::<_, _, String>("user:u", "a").unwrap(), "1");
}

#[test]
fn a_port_is_opened_when_it_is_asked_for_and_wants_a_password() {
    let data = TempDir::new().unwrap();
    let (port, file) =
        (free_port().to_string(), data.path().canonicalize().unwrap().join("traitsink.password"));
    let setting = format!("redis.local.port={port}");
    let (server, mut app) = worker(data.path(), &[&setting]);
    assert_eq!(
        app.client().post("/v1/identify", r#"{"userId":"u","traits":{"a":1}}"#).unwrap().status,
        200
    );
    assert_eq!(listening_ports(server.pid()).len(), 1);
    assert!(TcpStream::connect(format!("127.0.0.1:{port}")).is_ok());
    let ask = |login: &str| {
        let client = redis::Client::open(format!("redis://{login}127.0.0.1:{port}")).unwrap();
        client
            .get_connection()
            .and_then(|mut connection| connection.hget::<_, _, String>("user:u", "a"))
    };
    assert!(ask("").unwrap_err().to_string().contains("Authentication required"));
    let password = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(
        (password.len(), std::fs::metadata(&file).unwrap().permissions().mode() & 0o777),
        (64, 0o600)
    );
    assert_eq!(ask(&format!(":{password}@")).unwrap(), "1");
    let line = std::fs::read_to_string(format!("/proc/{}/cmdline", server.pid())).unwrap();
    app.wait_for_line(&file.display().to_string());
    let log = app.log().join("\n");
    assert!(!line.contains(&password) && !log.contains(&password), "{line}\n{log}");
    // A server that was left behind wants the password, too. The next server has no port, and no
    // password any more.
    let old = server.pid();
    app.signal(Signal::SIGKILL);
    app.wait(Duration::from_secs(5));
    let (server, app) = worker(data.path(), &[]);
    app.wait_ready();
    eventually("the old server is gone", || kill(old, None).is_err());
    assert!(!file.exists());
    assert_eq!(server.connection().hget::<_, _, String>("user:u", "a").unwrap(), "1");
}

/// The path of a socket has at most 107 bytes.
#[test]
fn a_directory_that_is_too_deep_for_a_socket_is_told_before_the_start() {
    let data = TempDir::new().unwrap();
    let root = data.path().canonicalize().unwrap();
    let deep =
        |bytes: usize| root.join("d".repeat(bytes - root.as_os_str().len() - "//redis.sock".len()));
    let (server, app) = worker(&deep(107), &[]);
    app.wait_ready();
    assert!(server.is_running());
    for verb in [&["check"][..], &["check", "--connect"], &["replay", "-"]] {
        let setting = format!("redis.local.data_dir={}", deep(108).display());
        let output = run(&[&["-s", "redis.mode=local", "-s", &setting], verb].concat(), b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{verb:?}: {said}");
        assert!(
            said.contains("redis.local.data_dir") && said.contains("has 108 bytes"),
            "{verb:?}: {said}"
        );
    }
}

#[test]
fn b1_the_local_server_is_killed() {
    play("B1", "the server of redis.mode = local is killed", 2..=20, |round| {
        let data = TempDir::new().unwrap();
        let (server, mut app) = worker(data.path(), &[]);
        let load = load_of(&app, OnError::Retry);
        for _ in 0..2 {
            progress(&load, 200);
            kill(server.pid(), Signal::SIGKILL).unwrap();
            round.recovers(|| progress(&load, 50));
        }
        let users = load.stop();
        app.assert_at_rest();
        server.check(&users);
        assert_eq!(app.metric("traitsink_redis_local_restarts_total", ""), 2.0);
        assert!(app.dead_letters().is_empty());
        app.signal(Signal::SIGTERM);
        assert!(app.wait(Duration::from_secs(20)).success());
        assert!(!server.is_running(), "the server still runs after its worker");
    });
}

/// A server cannot be made to end with a killed worker; the next worker ends it.
#[test]
fn what_a_killed_worker_leaves_behind_is_ended_by_the_next() {
    let data = TempDir::new().unwrap();
    let (old_server, mut app) = worker(data.path(), &[]);
    let load = load_of(&app, OnError::Retry);
    progress(&load, 200);
    let old = old_server.pid();

    let own = TempDir::new().unwrap();
    let refused = |why: &str| {
        let keys = [("data_dir", own.path()), ("redis.local.data_dir", data.path())];
        let keys = keys.map(|(key, path)| format!("{key}={}", path.display()));
        let others = ["redis.mode=local", "redis.response_timeout=300ms"];
        let settings =
            keys.iter().map(String::as_str).chain(others).flat_map(|setting| ["-s", setting]);
        // Unlike `run`, `replay` ends by itself if it is not refused.
        let output = run(&settings.chain(["replay", "-"]).collect::<Vec<_>>(), b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused("redis.local.data_dir: another worker keeps its data in ");

    app.signal(Signal::SIGKILL);
    app.wait(Duration::from_secs(5));
    let users = load.stop();
    assert!(old_server.is_running());
    let stopped = StoppedProcess::new(old);
    refused("what is there does not end");
    drop(stopped);
    let (server, app) = worker(data.path(), &[]);
    assert_ne!(server.pid(), old);
    eventually("the old server is gone", || kill(old, None).is_err());
    app.wait_for_line("left behind");
    server.check(&users);
}

#[test]
fn what_cannot_be_started_is_told() {
    let data = TempDir::new().unwrap();
    let taken = Redis::start();
    let port = format!("redis.local.port={}", taken.port());
    let file = data.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (setting, code, error) in [
        (
            "redis.local.binary=no-such-redis",
            78,
            "redis.local.binary: there is no no-such-redis: install Redis",
        ),
        ("redis.local.binary=/", 78, "redis.local.binary: / cannot be started: "),
        ("redis.local.binary=false", 69, "redis.local: the server ended at once (exit status: 1)"),
        (&port, 69, "Address already in use"),
        (&format!("redis.local.data_dir={}", file.display()), 74, "redis.local.data_dir: "),
    ] {
        let own = format!("data_dir={}", data.path().display());
        let output =
            run(&["-s", "redis.mode=local", "-s", &own, "-s", setting, "replay", "-"], b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{setting}: {said}");
        assert!(said.contains(error), "{setting}: {said}");
    }
}
