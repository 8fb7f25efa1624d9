//! Where events go that can never be written: a file, a Kafka topic, the log (reason only), or
//! nowhere.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{DeadLetter, UserIds};
use crate::logging::Throttle;

mod breaker;
mod file;
mod letter;
mod line;
mod place;
#[cfg(feature = "kafka")]
mod topic;

pub use breaker::Breaker;
use file::LetterFile;
pub use letter::{Letter, Record};
pub use place::exposures;
#[cfg(feature = "kafka")]
use topic::LetterTopic;

/// Why a letter could not be kept; its event is not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    #[error(
        "the dead-letter file {path} has reached dead_letter.max_size; move it away or raise the \
         limit"
    )]
    Full { path: PathBuf },
    #[error(
        "another process keeps the dead-letter file {path} locked (`lslocks` names it); let it go \
         on, or end it"
    )]
    Locked { path: PathBuf },
    #[error("cannot open the dead-letter file {path}: {error}")]
    Open { path: PathBuf, error: io::Error },
    #[error("cannot write to the dead-letter file {path}: {error}")]
    Write { path: PathBuf, error: io::Error },
    #[error("cannot write to the dead-letter topic {topic:?}: {why}")]
    Topic { topic: String, why: String },
}

/// At most one log line in this time speaks of new letters, and one of letters that were not kept.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// A shared handle; letters of all lanes and sources go through it.
#[derive(Clone)]
pub struct DeadLetters(Arc<Shared>);

struct Shared {
    kind: Kind,
    user_ids: UserIds,
    notices: Throttle,
    failures: Throttle,
}

enum Kind {
    File(Arc<Mutex<LetterFile>>),
    #[cfg(feature = "kafka")]
    Topic(LetterTopic),
    Log,
    Discard,
}

impl DeadLetters {
    /// Opens the file, creating it (0600) and its directory (0700), or makes a producer, which
    /// connects in the background. `user_ids` says how keys appear in logs.
    ///
    /// # Errors
    /// The file cannot be opened for appending, or the producer cannot be made; the message names
    /// the ways out.
    pub fn open(config: &DeadLetter, user_ids: UserIds) -> Result<Self, String> {
        let kind = match config {
            DeadLetter::File { path, max_size } => {
                let file = LetterFile::open(path, *max_size).map_err(|error| {
                    format!(
                        "cannot open the dead-letter file {}: {error}; set data_dir or \
                         dead_letter.path to a place this user may \
                         write to, or dead_letter.to to \"log\" or \"discard\"",
                        path.display()
                    )
                })?;
                exposures(path).iter().for_each(|exposure| tracing::warn!("{exposure}"));
                Kind::File(Arc::new(Mutex::new(file)))
            }
            #[cfg(feature = "kafka")]
            DeadLetter::Kafka { client, topic } => Kind::Topic(
                LetterTopic::new(client, topic)
                    .map_err(|error| format!("cannot write dead letters to Kafka: {error}"))?,
            ),
            #[cfg(not(feature = "kafka"))]
            DeadLetter::Kafka { .. } => return Err("this program was built without Kafka".into()),
            DeadLetter::Log => {
                tracing::warn!(
                    "dead letters are only logged: events that Redis refuses are lost \
                     (dead_letter.to = \"log\")"
                );
                Kind::Log
            }
            DeadLetter::Discard => {
                tracing::warn!(
                    "dead letters are discarded: events that Redis refuses are lost \
                     (dead_letter.to = \"discard\")"
                );
                Kind::Discard
            }
        };
        let (notices, failures) = (Throttle::new(NOTICE_EVERY), Throttle::new(NOTICE_EVERY));
        Ok(Self(Arc::new(Shared { kind, user_ids, notices, failures })))
    }

    /// Whether letters say more of a Kafka message than where it stands.
    pub fn keep_headers(&self) -> bool {
        match self.0.kind {
            #[cfg(feature = "kafka")]
            Kind::Topic(_) => true,
            _ => false,
        }
    }

    /// Returns when the letters are durable (file, topic), or at once (log, discard).
    ///
    /// # Errors
    /// None of them may be acknowledged.
    pub async fn write(&self, letters: Vec<Letter>) -> Result<(), DeadLetterError> {
        self.0.notice(&letters);
        let result = match &self.0.kind {
            Kind::File(file) => {
                let file = Arc::clone(file);
                let asked = Instant::now();
                let written =
                    tokio::task::spawn_blocking(move || lock(&file).append(&letters, asked));
                written.await.expect("writing letters does not panic")
            }
            #[cfg(feature = "kafka")]
            Kind::Topic(topic) => topic.write(&letters).await,
            Kind::Log | Kind::Discard => Ok(()),
        };
        if let Err(error) = &result
            && let Some(times) = self.0.failures.admit(1)
        {
            tracing::error!(times, "{error}; the events are not acknowledged");
        }
        result
    }

    /// Closes the file, so that the next letter opens what has its path then. Other places of
    /// letters are left alone.
    pub async fn reopen(&self) {
        if let Kind::File(file) = &self.0.kind {
            let file = Arc::clone(file);
            let closed = tokio::task::spawn_blocking(move || lock(&file).close());
            closed.await.expect("closing a file does not panic");
        }
    }
}

impl Shared {
    /// Logs one of the letters and how many there were, unless that was done a moment ago.
    fn notice(&self, letters: &[Letter]) {
        let Some(letter) = letters.last().filter(|_| !matches!(self.kind, Kind::Discard)) else {
            return;
        };
        if let Some(count) = self.notices.admit(letters.len() as u64) {
            let key = letter.key.as_ref().map(|key| self.user_ids.show(key).to_string());
            tracing::warn!(
                count,
                reason = letter.reason,
                source = letter.source,
                key,
                "events that can never be written"
            );
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_ids() -> UserIds {
        UserIds::Hashed
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        let error =
            DeadLetters::open(&DeadLetter::File { path, max_size: 300 }, user_ids()).err().unwrap();
        assert!(error.contains("dead_letter.path"), "{error}");
    }
}
