//! `[dead_letter]`: where events go that Redis refuses for good.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kafka::{Kafka, KafkaClient, servers, topic_error};
use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::Size;

/// Where dead letters go.
#[derive(Debug, Clone)]
pub enum DeadLetter {
    File { path: PathBuf, max_size: u64 },
    Kafka { client: Box<KafkaClient>, topic: String },
    Log,
    Discard,
}

impl DeadLetter {
    /// The value of `dead_letter.to`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Kafka { .. } => "kafka",
            Self::Log => "log",
            Self::Discard => "discard",
        }
    }
}

/// When the Kafka source stops (exit 65) rather than drain a topic into the dead letters. 0
/// switches a rule off.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// Dead letters in a row.
    pub consecutive: u64,
    /// Share of dead letters among the last `window` events, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub ratio: f64,
    /// Events of which `ratio` is the share.
    #[schemars(range(min = 0, max = 100_000_000))]
    pub window: usize,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { consecutive: 1000, ratio: 0.5, window: 10_000 }
    }
}

impl Breaker {
    /// Errors for rules that are given although there is no Kafka source.
    pub(crate) fn without_kafka(report: &mut ConfigReport) {
        for key in ["consecutive", "ratio", "window"] {
            report.no_effect(&format!("dead_letter.breaker.{key}"), "without [kafka]");
        }
    }
}

/// Where events go that Redis refuses for good, such as a write to a key of another type.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawDeadLetter {
    /// Where dead letters go; `log` and `discard` lose data.
    to: DeadLetterTarget,
    /// The file, with `to = "file"`. Default: dead-letters.ndjson in `data_dir`.
    path: Option<PathBuf>,
    /// Size of the file, with `to = "file"`. When it is full, events for it are not acknowledged.
    /// Default: 1GiB.
    #[schemars(example = &"1GiB")]
    max_size: Option<Size>,
    /// The topic, with `to = "kafka"`.
    topic: Option<String>,
    /// With `to = "kafka"`: other brokers than those of `[kafka]`, whose login and TLS are used
    /// here, too.
    bootstrap_servers: Option<String>,
    pub(crate) breaker: Option<Breaker>,
}

/// Where dead letters go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DeadLetterTarget {
    /// A file of JSON lines, flushed to disk before the event is acknowledged.
    #[default]
    File,
    /// A topic.
    Kafka,
    /// Only the reason, in the log.
    Log,
    /// Nowhere.
    Discard,
}

impl DeadLetterTarget {
    fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Kafka => "kafka",
            Self::Log => "log",
            Self::Discard => "discard",
        }
    }
}

impl RawDeadLetter {
    /// `client`: how the Kafka source reaches its brokers, if there is one.
    pub(crate) fn resolve(
        &self,
        data_dir: &Path,
        source: Option<&Kafka>,
        report: &mut ConfigReport,
    ) -> DeadLetter {
        let word = self.to.word();
        let file: &[&str] =
            if self.to == DeadLetterTarget::File { &[] } else { &["path", "max_size"] };
        let kafka: &[&str] =
            if self.to == DeadLetterTarget::Kafka { &[] } else { &["topic", "bootstrap_servers"] };
        for key in file.iter().chain(kafka) {
            report.no_effect(
                &format!("dead_letter.{key}"),
                &format!("with dead_letter.to = \"{word}\""),
            );
        }
        match self.to {
            DeadLetterTarget::File => {
                let path =
                    self.path.clone().unwrap_or_else(|| data_dir.join("dead-letters.ndjson"));
                return DeadLetter::File {
                    path,
                    max_size: self.max_size.unwrap_or(Size::gib(1)).0,
                };
            }
            DeadLetterTarget::Kafka => return self.kafka(source, report),
            DeadLetterTarget::Log | DeadLetterTarget::Discard => {}
        }
        report.warn(format!("dead_letter.to = \"{word}\": what can never be written is lost"));
        if self.to == DeadLetterTarget::Log { DeadLetter::Log } else { DeadLetter::Discard }
    }

    fn kafka(&self, source: Option<&Kafka>, report: &mut ConfigReport) -> DeadLetter {
        let topic = self.topic.clone().unwrap_or_default();
        if topic.is_empty() {
            report.error("dead_letter.topic", "is needed with dead_letter.to = \"kafka\"");
        } else if topic.starts_with('^') {
            report.error("dead_letter.topic", "is one topic, not a pattern");
        } else if let Some(error) = topic_error(&topic) {
            report.error("dead_letter.topic", error);
        } else if source.is_some_and(|source| source.topics.contains(&topic)) {
            report.error(
                "dead_letter.topic",
                format_args!("{topic:?} is read by this worker: its dead letters would come back"),
            );
        }
        let mut client = match source {
            Some(source) => source.client.clone(),
            None => KafkaClient::plain(String::new()),
        };
        match &self.bootstrap_servers {
            Some(list) => {
                servers(list, "dead_letter.bootstrap_servers", report);
                client.bootstrap_servers.clone_from(list);
            }
            None if source.is_none() => {
                report.error("dead_letter.bootstrap_servers", "is needed without [kafka]")
            }
            None => {}
        }
        DeadLetter::Kafka { client: Box::new(client), topic }
    }

    /// `valid` in the form that is typed; `consuming`: there is a Kafka source.
    pub(crate) fn effective(self, valid: &DeadLetter, consuming: bool) -> Self {
        let breaker = consuming.then(|| self.breaker.unwrap_or_default());
        match valid {
            DeadLetter::File { path, max_size } => {
                Self { path: Some(path.clone()), max_size: Some(Size(*max_size)), breaker, ..self }
            }
            DeadLetter::Kafka { client, .. } => {
                Self { bootstrap_servers: Some(client.bootstrap_servers.clone()), breaker, ..self }
            }
            DeadLetter::Log | DeadLetter::Discard => Self { breaker, ..self },
        }
    }
}
