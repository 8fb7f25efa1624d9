//! Under which key an event is written, whom it deletes: the table `tests/golden/keys.ndjson`, one
//! JSON object per line.
//!
//! - `input`: the text of an event. Or `tombstone`: the key of a record without a value, a text or
//!   `{"base64":".."}`.
//! - `prefix`, `key`, `group_key`, `deletion_event`: as in a configuration. `path`: the type that a
//!   path imposes. `may_delete` (default true) and `wrapped` (default false): of the source.
//! - `expect`: as `explain` prints it. `user`, `said`: the id and the prefix that are found in the
//!   key afterwards; a `user` of null: none is.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use traitsink::commands::explain;
use traitsink::config::parse_prefix;
use traitsink::event::{Action, Decision, Explanation, Origin, Rules, Transformer};
use traitsink::profile::{KeyTemplate, KeyedBy, Prefix};

use crate::golden::default_rules;

const ROWS: usize = 136;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRow {
    id: String,
    input: Option<String>,
    tombstone: Option<RecordKey>,
    #[serde(default)]
    prefix: String,
    key: Option<String>,
    group_key: Option<String>,
    deletion_event: Option<String>,
    path: Option<String>,
    #[serde(default = "yes")]
    may_delete: bool,
    #[serde(default)]
    wrapped: bool,
    expect: Value,
    #[serde(default, deserialize_with = "given")]
    user: Option<Option<String>>,
    said: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RecordKey {
    Text(String),
    Bytes { base64: String },
}

fn yes() -> bool {
    true
}

/// Tells null from nothing.
fn given<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(json).map(Some)
}

impl KeyRow {
    fn rules(&self) -> Rules {
        let mut rules = default_rules();
        if let Some(key) = &self.key {
            rules.keys.user = KeyTemplate::parse(key, KeyedBy::User).unwrap();
        }
        let group = self.group_key.as_deref();
        rules.keys.group = group.map(|key| KeyTemplate::parse(key, KeyedBy::Group).unwrap());
        rules.deletion_event = self.deletion_event.clone();
        rules.tombstones_delete = true;
        rules
    }

    fn text(&self) -> Vec<u8> {
        match (&self.input, &self.tombstone) {
            (Some(input), None) => input.clone().into(),
            (None, Some(RecordKey::Text(key))) => key.clone().into(),
            (None, Some(RecordKey::Bytes { base64 })) => BASE64_STANDARD.decode(base64).unwrap(),
            _ => panic!("{}: one of input and tombstone", self.id),
        }
    }

    fn origin<'a>(&self, prefix: &'a Prefix) -> Origin<'a> {
        let path_type = self.path.as_deref().map(|path| match path {
            "group" => "group",
            "track" => "track",
            _ => panic!("{}: no such path: {path}", self.id),
        });
        let (wrapped, may_delete) = (self.wrapped, self.may_delete);
        let event = Origin { prefix, path_type, wrapped, may_delete, ..Origin::default() };
        Origin { is_tombstone: self.tombstone.is_some(), ..event }
    }
}

fn rows() -> Vec<KeyRow> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/keys.ndjson");
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    text.lines().map(row).collect()
}

#[test]
fn the_transform_agrees_with_every_row_on_both_of_its_paths() {
    let (mut usual, mut literal) = (Transformer::default(), Transformer::literal());
    let rows = rows();
    assert_eq!(rows.len(), ROWS);
    assert_eq!(rows.iter().map(|row| &row.id).collect::<BTreeSet<_>>().len(), ROWS);
    for row in rows {
        let prefix = parse_prefix(&row.prefix).unwrap();
        let origin = row.origin(&prefix);
        for transformer in [&mut usual, &mut literal] {
            let decision = transformer.transform(&row.rules(), origin, &row.text());
            let explained = serde_json::to_value(Explanation::new(&decision)).unwrap();
            assert_eq!(explained, row.expect, "{}", row.id);
            let Decision::Update(update) = decision else { continue };
            let is_deletion = row.expect.get("delete").is_some();
            assert_eq!(update.action() == Action::Delete, is_deletion, "{}", row.id);
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            if let Some(user) = &row.user {
                assert_eq!(update.user_id().map(text), *user, "{}", row.id);
            }
            if let Some(said) = &row.said {
                assert_eq!(text(update.prefix()), *said, "{}", row.id);
            }
        }
    }
}

#[test]
fn explain_agrees_with_every_row() {
    let mut explained = 0;
    for row in rows() {
        // What only a source knows.
        let plain = row.path.is_none() && row.may_delete && row.tombstone.is_none();
        let Some(input) = row.input.as_ref().filter(|_| plain) else { continue };
        let (prefix, mut output) = (parse_prefix(&row.prefix).unwrap(), Vec::new());
        explain(format!("{input}\n").as_bytes(), &mut output, &row.rules(), &prefix, None).unwrap();
        let line: Value = serde_json::from_slice(&output).unwrap();
        assert_eq!(line, row.expect, "{}", row.id);
        explained += 1;
    }
    assert_eq!(explained, 118);
}

/// A dead letter holds the prefix that its event had, and where in the event it stood: read again,
/// the event comes to the same.
#[test]
fn an_event_read_again_under_the_prefix_of_its_letter_comes_to_the_same() {
    let (mut transformer, mut read_again) = (Transformer::default(), 0);
    for row in rows() {
        let prefix = parse_prefix(&row.prefix).unwrap();
        let origin = row.origin(&prefix);
        let (rules, text) = (row.rules(), row.text());
        let Decision::Update(update) = transformer.transform(&rules, origin, &text) else {
            continue;
        };
        let said = std::str::from_utf8(update.prefix()).unwrap();
        let path = prefix.path().map(|names| names.join("."));
        let prefix = Prefix::again(said, path.as_deref());
        let again = transformer.transform(&rules, Origin { prefix: &prefix, ..origin }, &text);
        assert_eq!(again, Decision::Update(update), "{}", row.id);
        read_again += 1;
    }
    assert!(read_again > 50, "{read_again}");
}
