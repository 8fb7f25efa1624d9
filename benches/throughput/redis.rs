//! The benchmark's own redis-server, its throughput without `traitsink`, and what it holds.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use redis::Connection;

use super::events::{Events, USERS, traits};
use super::process::Killed;

pub(super) struct BenchServer {
    _server: Killed,
    pub(super) port: u16,
}

impl BenchServer {
    pub(super) fn start(dir: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(dir)
            .stdout(Stdio::null());
        let redis = Self { _server: Killed::start(&mut command), port };
        let start = Instant::now();
        while redis.connect().is_none() {
            assert!(start.elapsed() < Duration::from_secs(10), "redis-server does not answer");
            super::harness::pause();
        }
        redis
    }

    /// The address for `redis.url`.
    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn connect(&self) -> Option<Connection> {
        redis::Client::open(self.url()).ok()?.get_connection().ok()
    }

    pub(super) fn connection(&self) -> Connection {
        self.connect().expect("redis-server answers")
    }

    /// Removes all keys and sets the counts of commands to zero.
    pub(super) fn clear(&self) {
        let mut connection = self.connection();
        redis::cmd("FLUSHALL").exec(&mut connection).expect("redis-server answers");
        redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut connection).expect("redis-server answers");
    }

    /// HSETs per second of the usual payload, measured by redis-benchmark.
    pub(super) fn limit(&self, events: u64) -> f64 {
        self.clear();
        let traits = traits(12_345, 0).map(|(name, value)| (name.to_owned(), value));
        limit(self.port, &[], &traits, USERS, events)
    }

    /// Waits for the first HSET after [`BenchServer::clear`]; returns the moment before it.
    #[cfg(feature = "kafka")]
    pub(super) fn first_write(&self) -> Instant {
        let (mut connection, start) = (self.connection(), Instant::now());
        loop {
            let before = Instant::now();
            let info: String = redis::cmd("INFO")
                .arg("commandstats")
                .query(&mut connection)
                .expect("redis-server answers");
            if info.contains("cmdstat_hset:") {
                return before;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "nothing is written in a minute");
            super::harness::let_pass(Duration::from_millis(2));
        }
    }

    /// Checks that Redis holds the last traits of every user of `events`, and nothing else.
    pub(super) fn check(&self, events: &Events) {
        let mut connection = self.connection();
        let users: Vec<(u64, u64)> =
            (0..).zip(&events.last).filter_map(|(user, last)| Some((user, (*last)?))).collect();
        let keys: usize =
            redis::cmd("DBSIZE").query(&mut connection).expect("redis-server answers");
        assert_eq!(keys, users.len(), "number of users in Redis");
        for users in users.chunks(1_000) {
            let mut pipe = redis::pipe();
            for (user, _) in users {
                pipe.cmd("HGETALL").arg(format!("user:user-{user}"));
            }
            let hashes: Vec<Vec<(String, String)>> =
                pipe.query(&mut connection).expect("redis-server answers");
            for ((user, number), mut hash) in users.iter().zip(hashes) {
                let mut expected =
                    traits(*user, *number).map(|(name, value)| (name.to_owned(), value));
                expected.sort();
                hash.sort();
                assert_eq!(hash, expected, "traits of user {user}");
            }
        }
    }
}

/// A port that nothing listens on.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// HSETs per second of `fields` to random ones of `users`, measured by redis-benchmark with these
/// `options`.
pub(super) fn limit(
    port: u16,
    options: &[&str],
    fields: &[(String, String)],
    users: u64,
    events: u64,
) -> f64 {
    let (port, users, events) = (port.to_string(), users.to_string(), events.to_string());
    let mut command = Command::new("redis-benchmark");
    command
        .args(["-p", &port, "-P", "64", "-c", "50", "-r", &users, "-n", &events, "-q", "--csv"])
        .args(options);
    // redis-benchmark writes to all nodes of a cluster only if the key holds its placeholder for a
    // slot.
    let tag = if options.contains(&"--cluster") { "{tag}" } else { "" };
    command.args(["HSET", &format!("user:{tag}user-__rand_int__")]);
    for (name, value) in fields {
        command.args([name, value]);
    }
    let output = command.output().expect("redis-benchmark (Debian package redis-tools) is needed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = text.lines().last().unwrap_or_default();
    let rate = row.split("\",\"").nth(1).and_then(|rate| rate.trim_matches('"').parse().ok());
    rate.unwrap_or_else(|| panic!("redis-benchmark says: {text}"))
}
