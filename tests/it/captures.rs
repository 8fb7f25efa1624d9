//! Recordings of the official SDKs: each recorded request is sent again and understood.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::http::start;
use crate::http_corpus::{Profiles, profiles};
use crate::raw_http::RawClient;

/// Each recording, the number of its requests that are sent, and the number that are not sent
/// because their path is not supported yet.
const RECORDINGS: [(&str, usize, usize); 8] = [
    ("analytics-node", 15, 0),
    ("jitsu", 0, 24),
    ("rudder-sdk-node", 15, 0),
    ("rudder-sdk-python", 16, 0),
    ("rudderstack-analytics-js", 23, 14),
    ("segment-analytics-next", 0, 26),
    ("segment-analytics-node", 14, 0),
    ("segment-analytics-python", 16, 0),
];

#[test]
fn every_recorded_request_does_what_it_means() {
    let (redis, app) = start(&[r#"http.write_keys=["WRITEKEY123"]"#, "http.wait=20s"]);
    for (name, sent, left_out) in RECORDINGS {
        redis.cli(&["FLUSHALL"]);
        let requests = requests(name);
        let mut expected = Profiles::new();
        let mut usual = BTreeMap::new();
        let mut count = 0;
        for request in requests.iter().filter(|request| request.is_answered()) {
            request.apply(&mut expected);
            assert_eq!(request.send(app.http, &mut usual), 200, "{name}: {}", request.what);
            assert_eq!(profiles(&redis), expected, "{name}: {}", request.what);
            count += 1;
        }
        assert_eq!((count, requests.len() - count), (sent, left_out), "{name}");
    }
    app.assert_at_rest();
}

struct Request {
    what: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    /// True if some headers were left out: they are the same as in the first request of this path.
    abridged: bool,
    body: String,
}

fn requests(name: &str) -> Vec<Request> {
    let path = format!("{}/tests/it/data/captures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let recording: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lists: Vec<&Value> = match &recording["modes"] {
        Value::Object(modes) => modes.values().collect(),
        _ => vec![&recording["requests"]],
    };
    lists
        .into_iter()
        .flat_map(|list| list.as_array().expect("a list of requests"))
        .map(request)
        .collect()
}

fn request(recorded: &Value) -> Request {
    let text = |key: &str| recorded[key].as_str().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> =
        serde_json::from_value(recorded["headers"].clone()).expect("pairs");
    let body = match &recorded["body_text"] {
        Value::String(exact) => exact.clone(),
        _ => recorded["body"].to_string(),
    };
    Request {
        what: format!("{} {} {}", text("method"), text("path"), text("call")),
        method: text("method"),
        path: text("path"),
        headers,
        abridged: recorded.get("headers_note").is_some(),
        body,
    }
}

impl Request {
    fn path_type(&self) -> Option<&str> {
        let call = self.path.strip_prefix("/v1/")?;
        ["identify", "track", "page", "screen", "group", "alias"]
            .into_iter()
            .find(|&known| known == call)
    }

    fn is_answered(&self) -> bool {
        self.method == "POST" && (self.path == "/v1/batch" || self.path_type().is_some())
    }

    /// Sends the request with its own headers. `usual` are the headers of the first request of each
    /// path.
    fn send(
        &self,
        address: SocketAddr,
        usual: &mut BTreeMap<String, Vec<(String, String)>>,
    ) -> u16 {
        let mut headers = self.headers.clone();
        let first = usual.entry(self.path.clone()).or_insert_with(|| headers.clone());
        if self.abridged {
            let given =
                |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
            headers.extend(first.iter().filter(|(name, _)| !given(name)).cloned());
        }
        headers.retain(|(name, _)| {
            !name.eq_ignore_ascii_case("host") && !name.eq_ignore_ascii_case("content-length")
        });
        let gzip = headers
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case("content-encoding") && value == "gzip");
        let body = if gzip { compress(&self.body) } else { self.body.clone().into_bytes() };
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n{lines}\r\n",
            self.path,
            body.len()
        );
        let mut client = RawClient::connect(address);
        client.send([head.as_bytes(), &body].concat());
        client.response().expect("an answer").status
    }

    /// Applies to `profiles` the effect that the request should have on Redis.
    fn apply(&self, profiles: &mut Profiles) {
        // Strict parsers refuse lone surrogates, which SDKs do send; the worker writes them as
        // U+FFFD.
        let Ok(body) = serde_json::from_str::<Value>(&self.body.replace("\\ud83d", "\\ufffd"))
        else {
            assert!(self.body.contains("NaN"), "{}: no JSON for another reason", self.what);
            return; // the one event of that batch is rejected
        };
        match body["batch"].as_array() {
            Some(events) => {
                events.iter().for_each(|event| apply(event, event["type"].as_str(), profiles))
            }
            None => apply(&body, self.path_type(), profiles),
        }
    }
}

fn apply(event: &Value, kind: Option<&str>, profiles: &mut Profiles) {
    let user = match &event["userId"] {
        Value::String(id) if !id.trim().is_empty() => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return,
    };
    if kind != Some("identify") || !is_on(&event["integrations"]) {
        return;
    }
    let mut fields = BTreeMap::new();
    flatten("", &event["context"]["traits"], &mut fields);
    flatten("", &event["traits"], &mut fields);
    let fields: BTreeMap<_, _> =
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    if !fields.is_empty() {
        profiles.entry(format!("user:{user}")).or_default().extend(fields);
    }
}

fn is_on(integrations: &Value) -> bool {
    match integrations {
        Value::Null => true,
        _ => integrations["Redis"].as_bool().or(integrations["All"].as_bool()).unwrap_or(true),
    }
}

/// The leaves of `value` by path; `None` is a value that is not written.
fn flatten(path: &str, value: &Value, fields: &mut BTreeMap<String, Option<String>>) {
    let text = match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, member, fields);
            }
            return;
        }
        Value::Object(_) | Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => {
            Some(ryu_js::Buffer::new().format(number.as_f64().expect("a double")).to_owned())
        }
        Value::Bool(_) | Value::Array(_) => Some(value.to_string()),
    };
    if !path.is_empty() {
        fields.insert(path.to_owned(), text);
    }
}

fn compress(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}
