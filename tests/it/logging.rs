//! A standard error that nobody reads.

use std::io::{ErrorKind, PipeReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::redis::{Redis, free_port};

/// A process whose standard error is a pipe that is full from the start. Killed on drop.
struct UnreadProcess {
    child: Child,
    _stderr: PipeReader,
}

impl UnreadProcess {
    fn start(args: &[&str], stdout: Stdio) -> Self {
        let (reader, writer) = full_pipe();
        let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
        let child = command
            .args(args)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(writer)
            .spawn()
            .expect("the process starts");
        Self { child, _stderr: reader }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("own child");
    }

    fn end(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the process ends", || {
            status = self.child.try_wait().expect("own child");
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for UnreadProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A full pipe: a writer of any further byte blocks until somebody reads.
fn full_pipe() -> (PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&writer, true).expect("a pipe");
    for size in [4096, 1] {
        let error = loop {
            if let Err(error) = writer.write_all(&vec![b'.'; size]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
    rustix::io::ioctl_fionbio(&writer, false).expect("a pipe");
    (reader, writer)
}

fn listen(key: &str) -> (SocketAddr, String) {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    (address, format!("{key}={address}"))
}

#[test]
fn a_worker_that_nobody_listens_to_answers_counts_and_stops() {
    let (redis, data) = (Redis::start(), tempfile::tempdir().unwrap());
    let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
    let data_dir = format!("data_dir={}", data.path().display());
    let ((http, http_listen), (admin, admin_listen)) =
        (listen("http.listen"), listen("admin.listen"));
    let settings = [
        &url,
        &data_dir,
        &http_listen,
        &admin_listen,
        "log.level=debug",
        "delivery.stop_grace=20s",
    ];
    let args: Vec<&str> =
        settings.into_iter().flat_map(|setting| ["-s", setting]).chain(["run"]).collect();
    let mut worker = UnreadProcess::start(&args, Stdio::null());
    eventually("the worker is ready", || {
        Client::new(admin).get("/ready").is_some_and(|answer| answer.status == 200)
    });
    let dropped = || {
        let text = Client::new(admin).get("/metrics").expect("metrics answer").text();
        let count = text.lines().find_map(|line| {
            line.strip_prefix("traitsink_log_lines_dropped_total ")?.parse::<u64>().ok()
        });
        count.expect("the series is there from the start")
    };
    assert_eq!(dropped(), 0);
    let mut client = Client::new(http);
    let event = r#"{"userId":"u","traits":{"a":1}}"#;
    // Each of these answers is logged in one line.
    (0..6000).for_each(|_| assert_eq!(client.get("/unknown").expect("an answer").status, 404));
    assert!(dropped() > 1000, "{}", dropped());
    assert_eq!(client.post("/v1/identify", event).expect("an answer").status, 200);
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.end().code(), Some(0));
}

#[test]
fn a_replay_that_nobody_listens_to_ends() {
    let (redis, data) = (Redis::start(), tempfile::tempdir().unwrap());
    let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
    let data_dir = format!("data_dir={}", data.path().display());
    let file = data.path().join("events.ndjson");
    std::fs::write(
        &file,
        "{\"type\":\"identify\",\"userId\":\"u\",\"traits\":{\"a\":1}}\n{\"broken\n",
    )
    .unwrap();
    let args =
        ["-s", &url, "-s", &data_dir, "-s", "log.level=debug", "replay", file.to_str().unwrap()];
    assert_eq!(UnreadProcess::start(&args, Stdio::null()).end().code(), Some(65));
    assert!(!redis.hgetall("user:u").is_empty());
    assert!(data.path().join("dead-letters.ndjson").metadata().unwrap().len() > 0);
}

#[test]
fn a_demo_that_nobody_listens_to_stops() {
    let (http, http_listen) = listen("http.listen");
    let args = [
        "-s",
        &http_listen,
        "-s",
        "admin.listen=127.0.0.1:0",
        "-s",
        "redis.embedded.listen=127.0.0.1:0",
        "demo",
    ];
    let (_stdout, full) = full_pipe();
    let mut demo = UnreadProcess::start(&args, full.into());
    eventually("the demo answers", || {
        Client::new(http).get("/v1/identify").is_some_and(|answer| answer.status == 405)
    });
    demo.signal(Signal::SIGINT);
    assert!(demo.end().success());
}
