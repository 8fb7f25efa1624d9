//! The keys of an effective configuration, to compare two of them without keeping a secret. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::key_kind::{Form, KeyKind, join};

/// SHA-256 of a secret or of a file's content.
pub(crate) type ContentHash = [u8; 32];

/// The keys of an effective configuration with their values. Secrets are there as hashes.
#[derive(Clone, Default)]
pub struct EffectiveKeys(BTreeMap<String, EffectiveValue>);

#[derive(Clone, Default, PartialEq, Eq)]
struct EffectiveValue {
    /// Without the secret.
    shown: Value,
    /// Of the secret in it, or of the file that it names.
    hidden: Option<ContentHash>,
}

/// A key in which two configurations differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedKey {
    /// `http.sources[0].prefix`
    pub key: String,
    /// Only the secret in the value, or the content of the file that it names, is another one.
    pub only_content: bool,
}

/// Names the keys alone: a short secret could be guessed from its hash.
impl fmt::Debug for EffectiveKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl EffectiveKeys {
    /// The keys of `effective`, which shows no secret, with hashes of the secrets in `typed`.
    pub(crate) fn new(root: &KeyKind, effective: &Value, typed: &Value) -> Self {
        let mut keys = Self::default();
        leaves(Some(root), String::new(), effective, &mut |path, kind, value| {
            let value = if holds_secret(kind) { without_password(value) } else { value.clone() };
            if !value.is_null() {
                keys.0.entry(path).or_default().shown = value;
            }
        });
        leaves(Some(root), String::new(), typed, &mut |path, kind, value| {
            if holds_secret(kind) {
                let hash = Sha256::digest(value.to_string()).into();
                keys.0.entry(path).or_default().hidden = Some(hash);
            }
        });
        keys
    }

    /// The keys that name a file, and what they say.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter(|(key, _)| key.ends_with("_file"))
            .filter_map(|(key, value)| Some((key.as_str(), value.shown.as_str()?)))
    }

    /// The same with the hash of what is in the file that `key` names.
    pub(crate) fn with_content(mut self, key: &str, content: Option<ContentHash>) -> Self {
        self.0.entry(key.to_owned()).or_default().hidden = content;
        self
    }

    /// The keys in which `later` differs, by name.
    pub fn changes(&self, later: &Self) -> Vec<ChangedKey> {
        let all = self.0.keys().chain(later.0.keys().filter(|key| !self.0.contains_key(*key)));
        let differ = all.filter(|key| self.0.get(*key) != later.0.get(*key)).map(|key| {
            let shown = |keys: &Self| keys.0.get(key).map(|value| value.shown.clone());
            ChangedKey { key: key.clone(), only_content: shown(self) == shown(later) }
        });
        let mut changes: Vec<_> = differ.collect();
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        changes
    }
}

/// Visits all values, and the entries of lists of tables, with what is known about their keys.
fn leaves(
    kind: Option<&KeyKind>,
    path: String,
    value: &Value,
    visit: &mut dyn FnMut(String, Option<&KeyKind>, &Value),
) {
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                leaves(kind.and_then(|kind| below(kind, name)), join(&path, name), value, visit);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let entry = match kind {
                Some(KeyKind::List(entry)) => Some(&**entry),
                _ => None,
            };
            for (n, item) in items.iter().enumerate() {
                leaves(entry, format!("{path}[{n}]"), item, visit);
            }
        }
        leaf => visit(path, kind, leaf),
    }
}

fn below<'a>(kind: &'a KeyKind, name: &str) -> Option<&'a KeyKind> {
    match kind {
        KeyKind::Table(keys) => keys.get(name),
        KeyKind::Either(_, table) => below(table, name),
        KeyKind::Map(_) => Some(kind),
        _ => None,
    }
}

fn holds_secret(kind: Option<&KeyKind>) -> bool {
    match kind {
        Some(KeyKind::Text(form) | KeyKind::Map(form)) => form.may_hold_secret(),
        Some(KeyKind::List(entry)) => {
            matches!(&**entry, KeyKind::Text(Form::Secret))
        }
        _ => false,
    }
}

/// A URL that is printed with `***` for its password, without it.
fn without_password(value: &Value) -> Value {
    match value.as_str() {
        Some(text) => text.replace(":***@", "@").replace("://@", "://").into(),
        None => value.clone(),
    }
}
