//! `[dead_letter]`: where events go that Redis refuses for good.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::report::Report;
use super::units::Size;

#[derive(Debug, Clone)]
pub enum DeadLetter {
    File { path: PathBuf, max_size: u64 },
    Log,
    Discard,
}

/// What Redis refuses for good, such as a key of another type.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawDeadLetter {
    to: Target,
    /// Default: dead-letters.ndjson in data_dir.
    path: Option<PathBuf>,
    /// When the file is full, events for it are not acknowledged. Default: 1GiB.
    max_size: Option<Size>,
}

/// Where dead letters go; `log` and `discard` lose data.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Target {
    /// A file of JSON lines, flushed to disk before the event is acknowledged.
    #[default]
    File,
    /// Only the reason, in the log.
    Log,
    /// Nowhere.
    Discard,
}

impl RawDeadLetter {
    pub(super) fn resolve(&self, data_dir: &Path, report: &mut Report) -> DeadLetter {
        let lossy = match self.to {
            Target::File => {
                let path = self.path.clone().unwrap_or_else(|| data_dir.join("dead-letters.ndjson"));
                return DeadLetter::File { path, max_size: self.max_size.unwrap_or(Size::gib(1)).0 };
            }
            Target::Log => DeadLetter::Log,
            Target::Discard => DeadLetter::Discard,
        };
        let word = if matches!(lossy, DeadLetter::Log) { "log" } else { "discard" };
        for key in ["dead_letter.path", "dead_letter.max_size"] {
            report.no_effect(key, &format!("with dead_letter.to = \"{word}\""));
        }
        report.warn(format!("dead_letter.to = \"{word}\": what Redis refuses for good is lost"));
        lossy
    }

    /// What `valid` came to, in the form that is typed.
    pub(super) fn effective(self, valid: &DeadLetter) -> Self {
        match valid {
            DeadLetter::File { path, max_size } => Self { path: Some(path.clone()), max_size: Some(Size(*max_size)), ..self },
            DeadLetter::Log | DeadLetter::Discard => self,
        }
    }
}
