//! Good and bad requests as data: the answer to each, and the whole content of Redis after it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;

use crate::harness::app::App;
use crate::harness::let_pass;
use crate::harness::redis::Redis;
use crate::http::start;
use crate::raw_http::{RawClient, RawResponse};

const SETTINGS: [&str; 3] = [
    "http.max_body=1MiB",
    "http.wait=20s",
    r#"http.sources=[{name="corpus",write_key="corpus-key"},
        {name="team",write_key="team-key",prefix="team"}]"#,
];

const AUTHORIZATION: &str = "Authorization: Basic Y29ycHVzLWtleTo=";

/// Fields and values by key.
pub(crate) type Profiles = BTreeMap<String, BTreeMap<String, String>>;

/// One request, its answer, and its effect on an empty Redis.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    name: String,
    head: Head,
    /// Headers that are added to a short head.
    #[serde(default)]
    headers: Vec<String>,
    /// The number of headers in all.
    many_headers: Option<usize>,
    /// The size in bytes of one more header.
    large_header: Option<usize>,
    #[serde(default)]
    body: String,
    generate: Option<Generate>,
    /// True to compress the body.
    #[serde(default)]
    gzip: bool,
    /// Number of times that the request is sent before an answer is read.
    #[serde(default = "once")]
    repeat: usize,
    /// True to wait before the first byte and after it.
    #[serde(default)]
    slow: bool,
    /// True to close the sending side.
    #[serde(default)]
    finish: bool,
    /// The status of the answer; `None` if the connection is closed without an answer.
    #[serde(default)]
    status: Option<u16>,
    /// The statuses of several answers that differ.
    #[serde(default)]
    statuses: Vec<u16>,
    code: Option<String>,
    /// Headers that the answer must have.
    #[serde(default)]
    has: BTreeMap<String, String>,
    #[serde(default)]
    lacks: Vec<String>,
    /// True if the server closes the connection after the last answer.
    #[serde(default)]
    closes: bool,
    #[serde(default)]
    redis: Profiles,
    /// The increase of `traitsink_events_rejected_total{source="http"}`, by reason.
    #[serde(default)]
    rejected: BTreeMap<String, u64>,
}

/// The head: either `METHOD PATH`, with the usual headers, or all lines; `{length}` and `{auth}`
/// are filled in.
#[derive(Deserialize)]
#[serde(untagged)]
enum Head {
    Short(String),
    Lines(Vec<String>),
}

/// A body too large for the file: `prefix`, `times` `item`s separated by commas (`{i}` is the
/// number), blanks up to `pad` bytes in all, `suffix`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Generate {
    prefix: String,
    #[serde(default)]
    item: String,
    #[serde(default)]
    times: usize,
    #[serde(default)]
    pad: usize,
    suffix: String,
}

fn once() -> usize {
    1
}

impl Generate {
    fn body(&self) -> String {
        let items: Vec<String> =
            (0..self.times).map(|i| self.item.replace("{i}", &i.to_string())).collect();
        let start = format!("{}{}", self.prefix, items.join(","));
        let padding = self.pad.saturating_sub(start.len() + self.suffix.len());
        format!("{start}{}{}", " ".repeat(padding), self.suffix)
    }
}

impl Item {
    fn body(&self) -> Vec<u8> {
        let body =
            self.generate.as_ref().map_or_else(|| self.body.clone(), Generate::body).into_bytes();
        if !self.gzip {
            return body;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&body).unwrap();
        encoder.finish().unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        let body = self.body();
        let mut lines = match &self.head {
            Head::Lines(lines) => lines.clone(),
            Head::Short(line) => {
                let usual = ["Host: x", "Content-Length: {length}", "{auth}"].map(str::to_owned);
                [vec![format!("{line} HTTP/1.1")], usual.to_vec(), self.headers.clone()].concat()
            }
        };
        let more = self.many_headers.map_or(0, |many| many - (lines.len() - 1));
        lines.extend((0..more).map(|i| format!("X-{i}: x")));
        lines.extend(self.large_header.map(|large| format!("X-Large: {}", "x".repeat(large))));
        let head = lines
            .join("\r\n")
            .replace("{length}", &body.len().to_string())
            .replace("{auth}", AUTHORIZATION);
        [head.as_bytes(), b"\r\n\r\n", &body].concat()
    }

    fn expected(&self) -> Vec<u16> {
        if !self.statuses.is_empty() {
            return self.statuses.clone();
        }
        self.status.map_or_else(Vec::new, |status| vec![status; self.repeat])
    }

    fn is_head_request(&self) -> bool {
        matches!(&self.head, Head::Lines(lines) if lines[0].starts_with("HEAD "))
    }

    /// Sends the request and reads its answers; returns the first error.
    fn run(&self, address: SocketAddr) -> Result<(), String> {
        let mut client = RawClient::connect(address);
        let bytes = self.bytes().repeat(self.repeat);
        if self.slow {
            let_pass(Duration::from_millis(300));
            client.send(&bytes[..1]);
            let_pass(Duration::from_millis(100));
            client.send(&bytes[1..]);
        } else {
            // The server may answer and close before it has received everything; its answer arrives
            // all the same.
            client.send(&bytes);
        }
        if self.finish {
            client.finish();
        }
        for status in self.expected() {
            let response =
                if self.is_head_request() { client.response_to_head() } else { client.response() };
            let response = response.ok_or_else(|| format!("closed, expected {status}"))?;
            self.check(status, &response)?;
        }
        if self.closes {
            match client.response() {
                None => {}
                Some(response) => {
                    return Err(format!(
                        "not closed but answered {}: {:?}",
                        response.status,
                        response.text()
                    ));
                }
            }
        }
        Ok(())
    }

    fn check(&self, status: u16, response: &RawResponse) -> Result<(), String> {
        if response.status != status {
            return Err(format!(
                "answered {} {:?}, expected {status}",
                response.status,
                response.text()
            ));
        }
        if status == 200
            && (response.text() != "OK"
                || response.header("content-type") != Some("text/plain; charset=utf-8"))
        {
            return Err(format!("200, but {response:?}"));
        }
        if let Some(code) = &self.code {
            let body = response.json();
            if body["code"] != **code || !body["message"].is_string() {
                return Err(format!("{body}, expected the code {code}"));
            }
        }
        for (name, value) in &self.has {
            if response.header(name) != Some(value) {
                return Err(format!("{name}: {:?}, expected {value:?}", response.header(name)));
            }
        }
        match self.lacks.iter().find(|name| response.header(name).is_some()) {
            Some(name) => Err(format!("{name} must not be there")),
            None => Ok(()),
        }
    }
}

/// Sends each item of `tests/it/data/FILE` to a worker whose Redis is emptied before; fails with
/// all errors together.
fn run(file: &str, count: usize) {
    let (redis, app) = start(&SETTINGS);
    let path = format!("{}/tests/it/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let items: Vec<Item> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut wrong = Vec::new();
    for item in &items {
        redis.cli(&["FLUSHALL"]);
        let before = rejected(&app);
        if let Err(error) = item.run(app.http) {
            wrong.push(format!("{}: {error}", item.name));
        }
        let found = profiles(&redis);
        if found != item.redis {
            wrong.push(format!("{}: Redis holds {found:?}, expected {:?}", item.name, item.redis));
        }
        let mut grown = rejected(&app);
        grown.retain(|reason, count| {
            *count -= before.get(reason).copied().unwrap_or(0);
            *count > 0
        });
        if grown != item.rejected {
            wrong.push(format!("{}: rejected {grown:?}, expected {:?}", item.name, item.rejected));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} items of {file}:\n{}",
        wrong.len(),
        items.len(),
        wrong.join("\n")
    );
    assert_eq!(items.len(), count, "items of {file}");
    app.assert_at_rest();
}

/// All hashes in the database.
pub(crate) fn profiles(redis: &Redis) -> Profiles {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the tests write text");
    let keys: Vec<String> =
        redis::from_redis_value(redis.cli(&["KEYS", "*"])).expect("a list of keys");
    let profile = |key: String| {
        let fields = redis.hgetall(&key).into_iter().map(|(name, value)| (text(name), text(value)));
        (key, fields.collect())
    };
    keys.into_iter().map(profile).collect()
}

/// The values of `traitsink_events_rejected_total{source="http"}`, by reason.
fn rejected(app: &App) -> BTreeMap<String, u64> {
    let metrics = app.metrics();
    let counts = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("traitsink_events_rejected_total{reason=\"")?;
        let (reason, count) = rest.split_once("\",source=\"http\"} ")?;
        Some((reason.to_owned(), count.parse().ok()?))
    });
    counts.collect()
}

#[test]
fn what_clients_do_to_http() {
    run("http_transport.json", 72);
}

#[test]
fn who_may_write() {
    run("http_auth.json", 26);
}

#[test]
fn batches_good_and_bad() {
    run("http_batch.json", 40);
}
