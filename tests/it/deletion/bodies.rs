//! Good and bad requests to the deletion API as data: the answer to each, and what is kept of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Deletions, Settings, TOKEN};
use crate::harness::http::Client;
use crate::harness::redis::Redis;

/// A text that stands in ids, and in no answer.
const SECRET: &str = "secret-user";

/// One request, its answer, and the regulation that it makes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// `METHOD PATH`.
    head: String,
    /// Headers, `{token}` is filled in; `None`: the token as Bearer.
    headers: Option<Vec<(String, String)>>,
    #[serde(default)]
    body: String,
    generate: Option<Generated>,
    status: u16,
    code: Option<String>,
    /// Headers that the answer must have.
    #[serde(default)]
    has: BTreeMap<String, String>,
    #[serde(default)]
    lacks: Vec<String>,
    /// Members of the regulation, as `GET /regulations/ID` shows it.
    #[serde(default)]
    regulation: BTreeMap<String, Value>,
    /// The whole body of the answer.
    answer: Option<Value>,
    /// Users who are suppressed afterwards.
    #[serde(default)]
    suppressed: Vec<String>,
}

/// A body too large for the file: `prefix`, `times` `item`s separated by commas (`{i}` is the
/// number), blanks up to `pad` bytes in all, `suffix`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Generated {
    prefix: String,
    item: String,
    times: usize,
    #[serde(default)]
    pad: usize,
    suffix: String,
}

impl Row {
    fn body(&self) -> String {
        let Some(Generated { prefix, item, times, pad, suffix }) = &self.generate else {
            return self.body.clone();
        };
        let items: Vec<String> =
            (0..*times).map(|number| item.replace("{i}", &number.to_string())).collect();
        let start = format!("{prefix}{}", items.join(","));
        let padding = pad.saturating_sub(start.len() + suffix.len());
        format!("{start}{}{suffix}", " ".repeat(padding))
    }

    fn play(&self, worker: &Deletions) -> Result<(), String> {
        let (method, path) = self.head.split_once(' ').ok_or("no path")?;
        let bearer = || vec![("authorization".to_owned(), "Bearer {token}".to_owned())];
        let headers = self.headers.clone().unwrap_or_else(bearer);
        let headers: Vec<(String, String)> = headers
            .into_iter()
            .map(|(name, value)| (name, value.replace("{token}", TOKEN)))
            .collect();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut client = Client::new(worker.address);
        let answer =
            client.send(method, path, &headers, self.body().as_bytes()).ok_or("no answer")?;
        let text = answer.text();
        if answer.status != self.status {
            return Err(format!("answered {} {text}, expected {}", answer.status, self.status));
        }
        if text.contains(SECRET) || text.contains(TOKEN) {
            return Err(format!("tells too much: {text}"));
        }
        if answer.header("content-type") != Some("application/json") {
            return Err(format!("not JSON: {answer:?}"));
        }
        let body: Value = serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
        if let Some(code) = &self.code
            && (body["code"] != **code || !body["message"].is_string())
        {
            return Err(format!("{body}, expected the code {code}"));
        }
        for (name, value) in &self.has {
            if answer.header(name) != Some(value) {
                return Err(format!("{name}: {:?}, expected {value:?}", answer.header(name)));
            }
        }
        if let Some(name) = self.lacks.iter().find(|name| answer.header(name).is_some()) {
            return Err(format!("{name} must not be there"));
        }
        if self.answer.as_ref().is_some_and(|answer| *answer != body) {
            return Err(format!("answered {body}"));
        }
        self.check_regulation(worker, &body)?;
        let is_free = |user: &&String| !worker.suppressions.holds(user.as_bytes());
        match self.suppressed.iter().find(is_free) {
            Some(user) => Err(format!("{user} is not suppressed")),
            None => Ok(()),
        }
    }

    fn check_regulation(&self, worker: &Deletions, answer: &Value) -> Result<(), String> {
        if self.regulation.is_empty() {
            return Ok(());
        }
        let ids = [&answer["data"]["regulateId"], &answer["id"]];
        let id = ids.into_iter().find_map(Value::as_str).ok_or("no id")?;
        let found = worker.ended(id);
        for (name, value) in &self.regulation {
            if found[name] != *value {
                return Err(format!("{found}, expected {name} to be {value}"));
            }
        }
        Ok(())
    }
}

#[test]
fn requests_good_and_bad() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let settings = Settings { max_suppressed: 20_000, ..Settings::standalone(&redis, dir.path()) };
    let worker = Deletions::with(settings, dir.path());
    let path = format!("{}/tests/it/data/deletion.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let rows: Vec<Row> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(format!("{}: {}", row.name, row.play(&worker).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert_eq!(rows.len(), 98);
}
