//! A real Prometheus that scrapes one worker.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::prometheus_program;
use super::redis::free_port;

/// Time limit for the server to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    dir: tempfile::TempDir,
}

impl Prometheus {
    /// Starts a server that scrapes `target` as the job `traitsink` and evaluates `rules` five
    /// times a second.
    pub(crate) fn start(target: SocketAddr, rules: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let settings = format!(
            "global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: traitsink
    static_configs: [{{targets: ['{target}']}}]
"
        );
        std::fs::write(dir.path().join("prometheus.yml"), settings).expect("writing settings");
        std::fs::write(dir.path().join("rules.yaml"), rules).expect("writing rules");
        // Another process may take the port between the choice and the start.
        for _ in 0..5 {
            let address = (Ipv4Addr::LOCALHOST, free_port()).into();
            if let Some(child) = launch(dir.path(), address) {
                return Self { child, address, dir };
            }
        }
        panic!("Prometheus does not start:\n{}", log_of(dir.path()));
    }

    /// The samples of an instant query, or the server's error.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let body = format!("query={}", utf8_percent_encode(expression, NON_ALPHANUMERIC));
        let answer = ask(self.address, "POST /api/v1/query", &body)
            .unwrap_or_else(|| panic!("Prometheus does not answer:\n{}", log_of(self.dir.path())));
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        Ok(match (&answer["data"]["resultType"], &answer["data"]["result"]) {
            (kind, scalar) if kind == "scalar" => vec![scalar.clone()],
            (_, result) => result.as_array().expect("a vector").clone(),
        })
    }

    /// Whether `alert` fires.
    pub(crate) fn fires(&self, alert: &str) -> bool {
        let firing = format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}");
        !self.query(&firing).expect("an expression").is_empty()
    }

    /// All rules as the server evaluated them last: `name`, `query`, `health`, `lastError`.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let answer = ask(self.address, "GET /api/v1/rules", "").expect("Prometheus answers");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let groups = answer["data"]["groups"].as_array().expect("groups");
        groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server and waits until it is ready; `None` if it ended instead.
fn launch(dir: &Path, address: SocketAddr) -> Option<Child> {
    let log = std::fs::File::create(dir.join("log")).expect("a log");
    let mut child = Command::new(prometheus_program("prometheus"))
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .arg(format!("--web.listen-address={address}"))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("Prometheus can be started");
    let start = Instant::now();
    loop {
        if ask(address, "GET /-/ready", "").is_some() {
            return Some(child);
        }
        if child.try_wait().expect("own child").is_some() {
            return None;
        }
        assert!(start.elapsed() < PATIENCE, "Prometheus is not ready:\n{}", log_of(dir));
        super::pause();
    }
}

/// The body of the answer to a request; `None` if there is none, or it is 503 (not ready).
fn ask(address: SocketAddr, request: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = body.len();
    // HTTP/1.0: the answer ends with the connection.
    let head = format!(
        "{request} HTTP/1.0\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    (!head.contains(" 503 ")).then(|| body.to_owned())
}

fn log_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}
