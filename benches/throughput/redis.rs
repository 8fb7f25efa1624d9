//! The benchmark's own redis-server, and its throughput without `traitsink`.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::events::{USERS, traits};

pub(super) struct BenchServer {
    server: Child,
    pub(super) port: String,
}

impl BenchServer {
    pub(super) fn start(dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port().to_string();
        drop(listener);
        let server = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &port,
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
            ])
            .arg(dir)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server (Debian package redis-server) is needed");
        let redis = Self { server, port };
        let start = Instant::now();
        while redis.cli(&["PING"]) != "PONG" {
            assert!(start.elapsed() < Duration::from_secs(10), "redis-server does not answer");
        }
        redis
    }

    pub(super) fn cli(&self, args: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port])
            .args(args)
            .output()
            .expect("redis-cli is needed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// HSETs per second of the same payload, measured by redis-benchmark.
    pub(super) fn limit(&self, events: u64) -> f64 {
        self.cli(&["FLUSHALL"]);
        limit(&self.port, &[], events)
    }
}

/// HSETs per second of the same payload, measured by redis-benchmark with these `options`.
pub(super) fn limit(port: &str, options: &[&str], events: u64) -> f64 {
    let (users, events) = (USERS.to_string(), events.to_string());
    let mut command = Command::new("redis-benchmark");
    command
        .args(["-p", port, "-P", "64", "-c", "50", "-r", &users, "-n", &events, "-q", "--csv"])
        .args(options);
    // redis-benchmark writes to all nodes of a cluster only if the key holds its placeholder for a
    // slot.
    let tag = if options.contains(&"--cluster") { "{tag}" } else { "" };
    command.args(["HSET", &format!("user:{tag}user-__rand_int__")]);
    for (name, value) in traits(12_345) {
        command.args([name, &value]);
    }
    let output = command.output().expect("redis-benchmark (Debian package redis-tools) is needed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = text.lines().last().unwrap_or_default();
    let rate = row.split("\",\"").nth(1).and_then(|rate| rate.trim_matches('"').parse().ok());
    rate.unwrap_or_else(|| panic!("redis-benchmark says: {text}"))
}

impl Drop for BenchServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
