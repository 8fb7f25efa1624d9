//! What an import comes to: keys of ours, and a note on each option.

use std::fmt;

use toml::Value;

/// Tables in the order in which they are printed.
const TABLES: [&str; 8] =
    ["redis", "redis.sentinel", "redis.sentinel.tls", "redis.replicas", "redis.cluster", "redis.local", "redis.tls", "delivery"];

/// Settings in our words.
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

/// What became of one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub kind: NoteKind,
    /// The option, by its name in the imported file, and what there is to say about it.
    text: String,
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
        write!(f, "{kind}: {}", self.text)
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
        self.keys.push((key.to_owned(), value.into()));
    }

    pub(super) fn set_secret(&mut self, key: &str, value: impl Into<Value>) {
        self.has_secrets = true;
        self.set(key, value);
    }

    pub(super) fn note(&mut self, kind: NoteKind, text: impl fmt::Display) {
        self.notes.push(Note { kind, text: text.to_string() });
    }

    /// Sets a key that the file leaves open; `why` says where the value is from.
    pub(super) fn set_default(&mut self, key: &str, value: impl Into<Value>, why: &str) {
        let value = value.into();
        self.note(NoteKind::Defaulted, format_args!("{key} = {value} ({why})"));
        self.set(key, value);
    }

    pub(super) fn finish(self) -> Import {
        Import { toml: self.toml(), notes: self.notes, has_secrets: self.has_secrets }
    }

    fn toml(&self) -> String {
        let table = |key: &str| {
            key.rsplit_once('.').map_or(("", key.to_owned()), |(table, name)| {
                (TABLES.into_iter().find(|known| *known == table).unwrap_or_default(), name.to_owned())
            })
        };
        let mut text = String::new();
        for name in TABLES {
            let lines: Vec<_> = self
                .keys
                .iter()
                .filter_map(|(key, value)| {
                    let (table, key) = table(key);
                    (table == name).then(|| format!("{key} = {value}\n"))
                })
                .collect();
            if !lines.is_empty() {
                let gap = if text.is_empty() { "" } else { "\n" };
                text.push_str(&format!("{gap}[{name}]\n{}", lines.concat()));
            }
        }
        text
    }
}
