//! What the manager of the service is told: sd_notify(3), with real sockets.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::app::App;
use crate::harness::redis::{Redis, free_port};

/// The manager's end of the socket.
struct Manager(UnixDatagram);

impl Manager {
    fn bind(path: &Path) -> Self {
        Self::of(UnixDatagram::bind(path).expect("a socket"))
    }

    fn of(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        Self(socket)
    }

    /// The next message.
    fn next(&self) -> String {
        let mut message = [0; 4096];
        let len = self.0.recv(&mut message).expect("a message within a minute");
        String::from_utf8_lossy(&message[..len]).into_owned()
    }

    /// Skips what is only for people and signs of life.
    fn next_state(&self) -> String {
        loop {
            let message = self.next();
            if !message.starts_with("STATUS=") && message != "WATCHDOG=1" {
                return message;
            }
        }
    }

    fn wait_for(&self, message: &str) {
        while self.next() != message {}
    }
}

fn start(socket: &str, variables: &[(&str, &str)], settings: &[&str]) -> App {
    let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
    command.env("NOTIFY_SOCKET", socket).envs(variables.iter().copied());
    App::start_command(command, settings)
}

fn monotonic() -> u128 {
    // `/proc/uptime` counts suspend, too: no machine of the tests is suspended.
    let uptime = std::fs::read_to_string("/proc/uptime").expect("the uptime");
    let seconds: f64 =
        uptime.split(' ').next().and_then(|word| word.parse().ok()).expect("seconds");
    (seconds * 1e6) as u128
}

#[test]
fn a_life_with_reloads_is_told_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, file) = (dir.path().join("notify"), dir.path().join("traitsink.toml"));
    let manager = Manager::bind(&path);
    let redis = Redis::start();
    let url = format!("[redis]\nurl = \"redis://127.0.0.1:{}\"\n", redis.port());
    std::fs::write(&file, &url).expect("writing the configuration");
    let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
    command.env("NOTIFY_SOCKET", &path).arg("-c").arg(&file);
    let mut app = App::start_command(command, &[]);
    assert!(manager.next().starts_with("READY=1\nSTATUS="));
    app.wait_ready();

    for text in [format!("{url}[log]\nlevel = \"debug\"\n"), "[broken".to_owned()] {
        std::fs::write(&file, text).expect("writing the configuration");
        let before = monotonic();
        app.signal(Signal::SIGHUP);
        let message = manager.next_state();
        let micros = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("both at once");
        let micros: u128 = micros.parse().expect("a number");
        // `/proc/uptime` has hundredths of a second.
        assert!(micros + 20_000 >= before && micros <= monotonic() + 20_000, "{micros} {before}");
        assert_eq!(manager.next_state(), "READY=1\nSTATUS=ready");
    }
    assert_eq!(app.metric("traitsink_config_reloads_total", "result=\"refused\""), 1.0);
    assert_eq!(app.metric("traitsink_config_reloads_total", "result=\"applied\""), 1.0);
    app.signal(Signal::SIGTERM);
    assert_eq!(manager.next_state(), "STOPPING=1\nSTATUS=stopping");
    assert!(app.wait(Duration::from_secs(20)).success());
}

#[test]
fn the_worker_is_ready_without_redis_and_says_what_it_waits_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("notify");
    let manager = Manager::bind(&path);
    let port = free_port();
    let url = format!("redis.url=redis://127.0.0.1:{port}");
    let _app = start(&path.display().to_string(), &[], &[&url]);
    let first = manager.next();
    assert!(first.starts_with("READY=1\nSTATUS=waiting for redis: "), "{first}");
    // A lane may have found that nobody answers before the worker is ready.
    let mut status = first.trim_start_matches("READY=1\n").to_owned();
    while !status.contains(&port.to_string()) {
        status = manager.next();
    }
    assert!(status.starts_with("STATUS=waiting for redis: "), "{status}");
    assert!(!status.contains('\n'), "{status:?}");
}

#[test]
fn readiness_is_told_and_the_socket_may_be_abstract() {
    let name = format!("traitsink-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let manager = Manager::of(UnixDatagram::bind_addr(&address).expect("a socket"));
    let redis = Redis::start();
    let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
    let _app = start(&format!("@{name}"), &[], &[&url]);
    assert!(manager.next().starts_with("READY=1\nSTATUS="));
    manager.0.set_nonblocking(false).expect("blocking");
    redis.pause();
    while !manager.next().starts_with("STATUS=waiting for redis: ") {
        // The lanes ask when they have nothing to do.
    }
    redis.resume();
    manager.wait_for("STATUS=ready");
}

#[test]
fn signs_of_life_are_sent_and_children_know_nothing_of_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, seen) = (dir.path().join("notify"), dir.path().join("environment"));
    let manager = Manager::bind(&path);
    let redis = Redis::builder().password("pw").start();
    let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
    let command =
        format!("redis.password_command=[\"sh\", \"-c\", \"env > {}; echo pw\"]", seen.display());
    let mut app =
        start(&path.display().to_string(), &[("WATCHDOG_USEC", "200000")], &[&url, &command]);
    app.wait_ready();
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
    let environment = std::fs::read_to_string(&seen).expect("what the command saw");
    assert!(environment.contains("PATH="), "{environment}");
    assert!(!environment.contains("NOTIFY_SOCKET") && !environment.contains("WATCHDOG"));
    app.signal(Signal::SIGTERM);
    assert!(app.wait(Duration::from_secs(20)).success());
}
