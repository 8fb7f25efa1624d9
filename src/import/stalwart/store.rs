//! The store as Stalwart's file has it, and what its options have in common.

use std::time::Duration;

use serde_json::Value;

use crate::config::parse_duration;
use crate::import::syntax::VariableLookup;
use crate::import::transfer::{Transfer, unset};

/// Which kind of Redis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreType {
    Single,
    Cluster,
    Sentinel,
}

/// Options of the store that are left.
pub(super) struct StalwartStore<'a> {
    pub(super) transfer: Transfer,
    /// The names since 0.16.
    pub(super) is_json: bool,
    pub(super) variable: VariableLookup<'a>,
}

impl StalwartStore<'_> {
    /// The name of an option, which has changed with 0.16.
    pub(super) fn name(&self, since_0_16: &'static str, before: &'static str) -> &'static str {
        if self.is_json { since_0_16 } else { before }
    }

    /// A secret in place, of a variable or of a file; whether there is one.
    pub(super) fn secret(&mut self, name: &str, key: &str) -> bool {
        let Some(value) = self.transfer.take(name) else { return false };
        let word = |part| value.get(part).and_then(Value::as_str);
        let (text, file) = match (&value, word("@type")) {
            (Value::String(text), _) => {
                match text.strip_prefix("%{file:").and_then(|rest| rest.strip_suffix("}%")) {
                    Some(path) => (None, Some(path)),
                    None => (Some(text.clone()), None),
                }
            }
            (_, Some("None")) => {
                self.transfer.idle(name, "none");
                return false;
            }
            (_, Some("Value" | "Text")) => {
                (word("secret").or_else(|| word("value")).map(str::to_owned), None)
            }
            (_, Some("File")) => (None, word("filePath")),
            (_, Some("EnvironmentVariable")) => {
                let variable = word("variableName").unwrap_or_default();
                let Some(text) = (self.variable)(variable) else {
                    self.transfer.fail(name, unset(variable));
                    return false;
                };
                (Some(text), None)
            }
            _ => (None, None),
        };
        match (text, file) {
            (Some(text), _) => {
                self.transfer.draft.set_secret(key, text);
                self.transfer.mapped(name, key, "");
            }
            (None, Some(path)) => self.transfer.map(name, &format!("{key}_file"), path),
            (None, None) => {
                self.transfer.fail(name, "is a secret of an unknown form");
                return false;
            }
        }
        true
    }

    /// A number of milliseconds, or a text such as `10s`.
    pub(super) fn duration(&mut self, name: &str, key: &str) -> Option<Duration> {
        let text = self.transfer.text(name)?;
        let parsed = match text.trim().parse() {
            Ok(millis) => Ok(Duration::from_millis(millis)),
            Err(_) => parse_duration(&text),
        };
        let duration = self.transfer.or_fail(name, parsed)?;
        self.transfer.map_duration(name, key, duration);
        Some(duration)
    }
}
