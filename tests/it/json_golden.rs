//! JSON documents and profiles of entities: the table `tests/golden/documents.ndjson`, one JSON
//! object per line.
//!
//! - `id`: `60` for row 60 of the acceptance table, `suite-5` for a case of the original's own
//!   tests; `WHAT-HOW` for others.
//! - `rules`: `store` (`hash`), `traits` (`both`), `nulls` (`delete`), `replace` (false),
//!   `entities` (true: of workspace `W` and destination `D`), and `limits` that differ from the
//!   defaults.
//! - `prefix`: of the Redis key, untrimmed. `input`: the event.
//! - `expect`: as `explain` prints it. The text of a `document`, and beside it `nulls`, the paths
//!   of members that become null; `entity`: the pieces of its key.

use std::collections::BTreeMap;

use serde::Deserialize;
use traitsink::commands::explain;
use traitsink::event::{
    Action, Decision, DocumentRules, Origin, Rules, Transformer, Update, trim_js,
};
use traitsink::profile::{Entities, JsonNulls, JsonTraits, Prefix};

use crate::golden::default_rules;

const CASES: usize = 107;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentRow {
    id: String,
    #[serde(default)]
    rules: RulesRow,
    #[serde(default)]
    prefix: String,
    input: String,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RulesRow {
    store: String,
    traits: String,
    nulls: String,
    replace: bool,
    entities: bool,
    limits: BTreeMap<String, usize>,
}

impl Default for RulesRow {
    fn default() -> Self {
        Self {
            store: "hash".into(),
            traits: "both".into(),
            nulls: "delete".into(),
            replace: false,
            entities: true,
            limits: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    key: Option<String>,
    document: Option<String>,
    nulls: Vec<String>,
    fields: Option<BTreeMap<String, String>>,
    entity: Option<[String; 3]>,
    skipped: Option<String>,
    rejected: Option<String>,
}

impl RulesRow {
    fn rules(&self) -> Rules {
        let mut rules = default_rules();
        for (name, limit) in &self.limits {
            match name.as_str() {
                "max_depth" => rules.limits.max_depth = *limit,
                "max_fields" => rules.limits.max_fields = *limit,
                "max_key" => rules.limits.max_key = *limit,
                "max_field_name" => rules.limits.max_field_name = *limit,
                "max_update" => rules.limits.max_update = *limit,
                _ => panic!("no such limit: {name}"),
            }
        }
        rules.entities = self
            .entities
            .then(|| Entities { workspace_id: "W".into(), destination_id: "D".into() });
        let documents = DocumentRules {
            traits: match self.traits.as_str() {
                "both" => JsonTraits::Both,
                "either" => JsonTraits::Either,
                other => panic!("no such traits: {other}"),
            },
            nulls: match self.nulls.as_str() {
                "skip" => JsonNulls::Skip,
                "delete" => JsonNulls::Delete,
                "keep" => JsonNulls::Keep,
                other => panic!("no such nulls: {other}"),
            },
            replace: self.replace,
        };
        rules.documents = match self.store.as_str() {
            "json" => Some(documents),
            "hash" => None,
            other => panic!("no such store: {other}"),
        };
        rules
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("keys, names and values are UTF-8")
}

/// The paths behind the document in the payload.
fn null_paths(update: &Update) -> Vec<String> {
    let mut rest = update.payload();
    let mut words = std::iter::from_fn(|| {
        let end = rest.iter().position(|byte| *byte == b'\r')?;
        let len: usize = text(&rest[1..end]).parse().expect("a length");
        let (word, tail) = rest[end + 2..].split_at(len);
        rest = &tail[2..];
        Some(text(word))
    });
    assert_eq!(words.next().as_deref(), update.document().map(text).as_deref());
    words.collect()
}

impl From<&Decision> for Expected {
    fn from(decision: &Decision) -> Self {
        let update = match decision {
            Decision::Update(update) => update,
            Decision::Skipped(reason) => {
                return Self { skipped: Some(reason.as_str().into()), ..Self::default() };
            }
            Decision::Rejected(reason) => {
                return Self { rejected: Some(reason.as_str().into()), ..Self::default() };
            }
        };
        let fields = update.fields().map(|(name, value)| (text(name), text(value)));
        let document = update.document().map(text);
        let nulls = if document.is_some() { null_paths(update) } else { Vec::new() };
        let counted = match update.action() {
            Action::MergeDocument { nulls } => nulls as usize,
            _ => 0,
        };
        assert_eq!(nulls.len(), counted);
        Self {
            key: Some(text(update.key())),
            fields: document.is_none().then(|| fields.collect()),
            document,
            nulls,
            entity: update.entity().map(|name| [name.entity, name.id_type, name.user].map(text)),
            ..Self::default()
        }
    }
}

fn rows() -> Vec<DocumentRow> {
    let table = include_str!("../golden/documents.ndjson");
    table
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

#[test]
fn every_row_of_documents_is_what_becomes_of_its_event() {
    let rows = rows();
    assert_eq!(rows.len(), CASES);
    let ids: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids.len(), CASES, "ids are unique");
    for row in &rows {
        let prefix = Prefix::Fixed(trim_js(&row.prefix).to_owned());
        let origin = Origin { prefix: &prefix, ..Origin::default() };
        let rules = row.rules.rules();
        for mut transformer in [Transformer::default(), Transformer::literal()] {
            let decision = transformer.transform(&rules, origin, row.input.as_bytes());
            assert_eq!(Expected::from(&decision), row.expect, "{}", row.id);
        }
    }
}

#[test]
fn explain_prints_documents() {
    for row in rows() {
        let rules = row.rules.rules();
        let mut line = Vec::new();
        explain(
            row.input.as_bytes(),
            &mut line,
            &rules,
            &Prefix::Fixed(trim_js(&row.prefix).to_owned()),
            None,
        )
        .unwrap();
        if let Some(document) = &row.expect.document {
            let key = serde_json::to_string(&row.expect.key).unwrap();
            let is_replaced = row.rules.replace && row.expect.entity.is_none();
            let replace = if is_replaced { ",\"replace\":true" } else { "" };
            let printed = format!("{{\"key\":{key},\"document\":{document}{replace}}}\n");
            assert_eq!(text(&line), printed, "{}", row.id);
        } else {
            let said: Expected = serde_json::from_slice(&line).unwrap();
            assert_eq!(said, Expected { entity: None, ..row.expect }, "{}", row.id);
        }
    }
}
