//! File -> Redis as a share of what Redis can take: `traitsink replay` against `redis-benchmark -P 64 -c 50 -r 100000` HSET of
//! the same payload, one after the other in the same run, three times. Loopback only; ends by itself.
//!
//! `cargo bench --bench throughput [-- EVENTS]`

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const USERS: u64 = 100_000;

/// The traits of one browser event, about 1 KB with its envelope.
fn traits(user: u64) -> [(&'static str, String); 8] {
    [
        ("name", format!("Maria Gonzalez {user}")),
        ("email", format!("maria.gonzalez.{user}@example.com")),
        ("plan", "enterprise-annual".into()),
        ("age", "37".into()),
        ("address.city", "San Francisco".into()),
        ("address.country", "United States".into()),
        ("company", "Example Widgets Incorporated".into()),
        ("createdAt", "2026-01-15T09:30:00.000Z".into()),
    ]
}

fn event(out: &mut String, user: u64) {
    let [name, email, plan, age, city, country, company, created] = traits(user).map(|(_, value)| value);
    write!(
        out,
        r#"{{"type":"identify","messageId":"4a8f9d2e-5b7c-4e31-9f60-{user:012}","anonymousId":"9c1d7e52-3f4b-4a68-8d2e-7b6a5c4f3e2d","userId":"user-{user}","channel":"web","context":{{"app":{{"name":"RudderLabs JavaScript SDK","namespace":"com.rudderlabs.javascript","version":"3.34.1"}},"library":{{"name":"RudderLabs JavaScript SDK","version":"3.34.1"}},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36","locale":"en-US","screen":{{"width":1920,"height":1080,"density":1}},"page":{{"path":"/pricing","referrer":"https://example.com/","search":"","title":"Pricing","url":"https://example.com/pricing"}}}},"traits":{{"name":"{name}","email":"{email}","plan":"{plan}","age":{age},"address":{{"city":"{city}","country":"{country}"}},"company":"{company}","createdAt":"{created}"}},"integrations":{{"All":true}},"originalTimestamp":"2026-01-15T09:30:00.123Z","sentAt":"2026-01-15T09:30:00.456Z"}}"#
    )
    .expect("writing to a string");
    out.push('\n');
}

fn write_events(path: &Path, events: u64) {
    let mut file = BufWriter::new(std::fs::File::create(path).expect("a temporary file"));
    let mut line = String::new();
    for _ in 0..events {
        line.clear();
        event(&mut line, fastrand::u64(0..USERS));
        file.write_all(line.as_bytes()).expect("room for the events");
    }
    file.flush().expect("room for the events");
}

struct Redis {
    server: Child,
    port: String,
}

impl Redis {
    fn start(dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port().to_string();
        drop(listener);
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--dir"])
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

    fn cli(&self, args: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port]).args(args).output().expect("redis-cli is needed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// HSETs per second of the same payload.
    fn limit(&self, events: u64) -> f64 {
        self.cli(&["FLUSHALL"]);
        let mut command = Command::new("redis-benchmark");
        command.args([
            "-p",
            &self.port,
            "-P",
            "64",
            "-c",
            "50",
            "-r",
            &USERS.to_string(),
            "-n",
            &events.to_string(),
            "-q",
            "--csv",
        ]);
        command.args(["HSET", "user:user-__rand_int__"]);
        for (name, value) in traits(12_345) {
            command.args([name, &value]);
        }
        let output = command.output().expect("redis-benchmark (Debian package redis-tools) is needed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let row = text.lines().last().unwrap_or_default();
        let rate = row.split("\",\"").nth(1).and_then(|rate| rate.trim_matches('"').parse().ok());
        rate.unwrap_or_else(|| panic!("redis-benchmark says: {text}"))
    }

    /// Events per second from the file, start and end of the process included, and the process's CPU seconds.
    fn replay(&self, file: &Path, data_dir: &Path, events: u64) -> f64 {
        self.cli(&["FLUSHALL"]);
        let start = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_traitsink"))
            .arg("-s")
            .arg(format!("redis.url=redis://127.0.0.1:{}", self.port))
            .arg("-s")
            .arg(format!("data_dir={}", data_dir.display()))
            .arg("-q")
            .arg("replay")
            .arg(file)
            .status()
            .expect("own binary");
        let elapsed = start.elapsed();
        assert!(status.success(), "replay: {status}");
        events as f64 / elapsed.as_secs_f64()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn main() {
    let events = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(400_000);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("events.ndjson");
    write_events(&file, events);
    let redis = Redis::start(dir.path());
    let mut ratios: Vec<f64> = (1..=ROUNDS)
        .map(|round| {
            let limit = redis.limit(events);
            let rate = redis.replay(&file, dir.path(), events);
            println!("round {round}: redis-benchmark {limit:.0} HSET/s, replay {rate:.0} events/s, ratio {:.2}", rate / limit);
            rate / limit
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("file -> Redis: {:.2} of redis-benchmark (median of {ROUNDS}, {events} events)", ratios[ROUNDS / 2]);
}
