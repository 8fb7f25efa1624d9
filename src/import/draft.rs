//! The result of an import: keys of this program, and a note on each option.

use std::fmt;

use toml::Value;

/// Tables in the order in which they are printed.
const TABLES: [&str; 9] = [
    "redis",
    "redis.sentinel",
    "redis.sentinel.tls",
    "redis.replicas",
    "redis.cluster",
    "redis.local",
    "redis.tls",
    "profile",
    "delivery",
];

/// Names that come first in their table, in this order; the others follow in the order in which
/// they were set.
const FIRST: [&str; 8] =
    ["mode", "enabled", "master", "url", "nodes", "username", "password", "password_file"];

/// The settings as a configuration of this program.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// A configuration file. It holds the secrets that were imported.
    pub toml: String,
    /// One for each option, in no order that matters, without secrets.
    pub notes: Vec<Note>,
    /// Whether `toml` holds a secret.
    pub has_secrets: bool,
}

impl Import {
    /// Whether nothing that is needed is missing from the TOML.
    pub fn is_complete(&self) -> bool {
        self.notes.iter().all(|note| note.kind != NoteKind::Failed)
    }
}

/// A note on one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub kind: NoteKind,
    /// The option, by its name in the imported file, with the key that it was mapped to.
    pub subject: String,
    /// Reason or detail; may be empty.
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    Mapped,
    /// Not in the file, but meant by that system and said in the TOML.
    Defaulted,
    /// Nothing here depends on it.
    NoMeaning,
    NotYet,
    Unknown,
    /// Needed, and not in the TOML unless somebody does something about it.
    Failed,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NoteKind::Mapped => "mapped",
            NoteKind::Defaulted => "defaulted",
            NoteKind::NoMeaning => "no meaning here",
            NoteKind::NotYet => "not there yet",
            NoteKind::Unknown => "unknown",
            NoteKind::Failed => "cannot be converted",
        };
        match &self.why[..] {
            "" => write!(f, "{kind}: {}", self.subject),
            why => write!(f, "{kind}: {} ({why})", self.subject),
        }
    }
}

/// Keys and notes as they are gathered.
#[derive(Default)]
pub(super) struct Draft {
    /// Full key, such as `redis.tls.ca_file`, and value.
    keys: Vec<(String, Value)>,
    notes: Vec<Note>,
    has_secrets: bool,
}

impl Draft {
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) {
        debug_assert!(
            key.rsplit_once('.').is_some_and(|(table, _)| TABLES.contains(&table)),
            "{key} would not be printed"
        );
        self.keys.push((key.to_owned(), value.into()));
    }

    pub(super) fn set_secret(&mut self, key: &str, value: impl Into<Value>) {
        self.set_and_tell(key, value, true);
    }

    /// Sets a key, and keeps in mind whether there is a secret in its value.
    pub(super) fn set_and_tell(&mut self, key: &str, value: impl Into<Value>, is_secret: bool) {
        self.has_secrets |= is_secret;
        self.set(key, value);
    }

    /// Notes `why` on `subject`; `why` may be empty.
    pub(super) fn note(
        &mut self,
        kind: NoteKind,
        subject: impl fmt::Display,
        why: impl fmt::Display,
    ) {
        self.notes.push(Note { kind, subject: subject.to_string(), why: why.to_string() });
    }

    /// Sets a key that the file leaves open; `why` says where the value is from.
    pub(super) fn set_default(&mut self, key: &str, value: impl Into<Value>, why: &str) {
        let value = value.into();
        self.note(NoteKind::Defaulted, format_args!("{key} = {value}"), why);
        self.set(key, value);
    }

    pub(super) fn finish(self) -> Import {
        Import { toml: self.toml(), notes: self.notes, has_secrets: self.has_secrets }
    }

    fn toml(&self) -> String {
        let mut tables = Vec::new();
        for table in TABLES {
            let within = self.keys.iter().filter_map(|(key, value)| {
                Some((key.strip_prefix(table)?.strip_prefix('.')?, value))
            });
            let mut lines: Vec<_> = within.filter(|(name, _)| !name.contains('.')).collect();
            lines.sort_by_key(|(name, _)| {
                FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len())
            });
            if !lines.is_empty() {
                let lines: Vec<_> =
                    lines.into_iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
                tables.push(format!("[{table}]\n{}", lines.concat()));
            }
        }
        tables.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_keys_have_their_order() {
        let mut draft = Draft::default();
        for (key, value) in [
            ("delivery.retry_min", "1s"),
            ("redis.tls.ca_file", "a"),
            ("redis.prefix", "p"),
            ("redis.mode", "local"),
        ] {
            draft.set(key, value);
        }
        let expected = "[redis]\nmode = \"local\"\nprefix = \"p\"\n\n[redis.tls]\nca_file \
            = \"a\"\n\n[delivery]\nretry_min = \"1s\"\n";
        assert_eq!(draft.finish().toml, expected);
    }
}
