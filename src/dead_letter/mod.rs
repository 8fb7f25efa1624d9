//! Where events go that can never be written: a file, a Kafka topic, the log (reason only), or
//! nowhere. The one place that decides whether such an event is dead-lettered or failed.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::config::{DeadLetter, UserIds};
use crate::lock::lock;
use crate::logging::Throttle;
use crate::outcome::{DeadReason, Outcome};

mod error;
mod file;
mod letter;
mod line;
mod path;
mod purge;
#[cfg(feature = "kafka")]
mod topic;

use error::DeadLetterError;
use file::DeadLetterFile;
pub use letter::{KafkaRecord, Letter};
pub use line::LetterContent;
pub use path::exposures;
pub use purge::{LetterOwner, PurgedLetters};
#[cfg(feature = "kafka")]
use topic::DeadLetterTopic;

/// At most one log line in this time reports new letters, and one letters that were not kept.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// A shared handle; the letters of all lanes and sources go through it.
#[derive(Clone)]
pub struct DeadLetters(Arc<DeadLettersState>);

struct DeadLettersState {
    destination: LetterDestination,
    user_ids: UserIds,
    notices: Throttle,
    failures: Throttle,
}

enum LetterDestination {
    File(Arc<Mutex<DeadLetterFile>>),
    #[cfg(feature = "kafka")]
    Topic(DeadLetterTopic),
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
        let destination = match config {
            DeadLetter::File { path, max_size } => {
                let file = DeadLetterFile::open(path, *max_size).map_err(|error| {
                    format!(
                        "cannot open the dead-letter file {}: {error}; set data_dir or \
                         dead_letter.path to a place this user may write to, or dead_letter.to \
                         to \"log\" or \"discard\"",
                        path.display()
                    )
                })?;
                exposures(path).iter().for_each(|exposure| tracing::warn!("{exposure}"));
                LetterDestination::File(Arc::new(Mutex::new(file)))
            }
            #[cfg(feature = "kafka")]
            DeadLetter::Kafka { client, topic } => LetterDestination::Topic(
                DeadLetterTopic::new(client, topic)
                    .map_err(|error| format!("cannot write dead letters to Kafka: {error}"))?,
            ),
            #[cfg(not(feature = "kafka"))]
            DeadLetter::Kafka { .. } => return Err("this program was built without Kafka".into()),
            DeadLetter::Log => {
                tracing::warn!(
                    "dead letters are only logged: events that Redis refuses are lost \
                     (dead_letter.to = \"log\")"
                );
                LetterDestination::Log
            }
            DeadLetter::Discard => {
                tracing::warn!(
                    "dead letters are discarded: events that Redis refuses are lost \
                     (dead_letter.to = \"discard\")"
                );
                LetterDestination::Discard
            }
        };
        Ok(Self::to(destination, user_ids))
    }

    /// Keeps no letter: for a run that writes nothing.
    pub fn none(user_ids: UserIds) -> Self {
        Self::to(LetterDestination::Discard, user_ids)
    }

    fn to(destination: LetterDestination, user_ids: UserIds) -> Self {
        let (notices, failures) = (Throttle::new(NOTICE_EVERY), Throttle::new(NOTICE_EVERY));
        Self(Arc::new(DeadLettersState { destination, user_ids, notices, failures }))
    }

    /// Whether letters contain the headers of a Kafka message.
    pub fn keep_headers(&self) -> bool {
        match self.0.destination {
            #[cfg(feature = "kafka")]
            LetterDestination::Topic(_) => true,
            _ => false,
        }
    }

    /// Keeps `letters` and returns how each of their events ended, in the same order:
    /// [`Outcome::DeadLettered`] once the letters are durable (file, topic) or need not be (log,
    /// discard), [`Outcome::Failed`] when they could not be kept. They are kept together or not at
    /// all.
    pub async fn keep(&self, letters: Vec<Letter>) -> Vec<Outcome> {
        let reasons: Vec<DeadReason> = letters.iter().map(|letter| letter.reason).collect();
        let kept = self.write(letters).await.is_ok();
        let outcome = |reason| if kept { Outcome::DeadLettered(reason) } else { Outcome::Failed };
        reasons.into_iter().map(outcome).collect()
    }

    /// Returns when the letters are durable (file, topic), or at once (log, discard).
    ///
    /// # Errors
    /// None of the letters counts as kept.
    async fn write(&self, letters: Vec<Letter>) -> Result<(), DeadLetterError> {
        self.0.notice(&letters);
        let result = match &self.0.destination {
            LetterDestination::File(file) => {
                let file = Arc::clone(file);
                let asked = Instant::now();
                let written =
                    tokio::task::spawn_blocking(move || lock(&file).append(&letters, asked));
                written.await.expect("writing letters does not panic")
            }
            #[cfg(feature = "kafka")]
            LetterDestination::Topic(topic) => topic.write(&letters).await,
            LetterDestination::Log | LetterDestination::Discard => Ok(()),
        };
        if let Err(error) = &result
            && let Some(times) = self.0.failures.admit(1)
        {
            tracing::error!(times, "{error}; the events are not acknowledged");
        }
        result
    }

    /// Removes letters from the file that has its path now, for good: those that `owner` says are
    /// to be removed, from the text of their lines. No other line changes. Letters in a topic stay,
    /// and other destinations hold none.
    ///
    /// # Errors
    /// The file cannot be read or written; some letters may be removed. The text says why.
    pub async fn purge(
        &self,
        owner: impl Fn(&[u8]) -> LetterOwner + Send + 'static,
    ) -> Result<PurgedLetters, String> {
        match &self.0.destination {
            LetterDestination::File(file) => {
                let file = Arc::clone(file);
                let purged = tokio::task::spawn_blocking(move || purge::purge(&file, &owner));
                purged.await.expect("removing letters does not panic").map_err(|e| e.to_string())
            }
            #[cfg(feature = "kafka")]
            LetterDestination::Topic(_) => {
                Ok(PurgedLetters { in_topic: true, ..PurgedLetters::default() })
            }
            LetterDestination::Log | LetterDestination::Discard => Ok(PurgedLetters::default()),
        }
    }

    /// Closes the file, so that the next letter opens the file that has its path then. Does nothing
    /// for other destinations.
    pub async fn reopen(&self) {
        if let LetterDestination::File(file) = &self.0.destination {
            let file = Arc::clone(file);
            let closed = tokio::task::spawn_blocking(move || lock(&file).close());
            closed.await.expect("closing a file does not panic");
        }
    }
}

impl DeadLettersState {
    /// Logs how many letters there were, and one of them, unless that was done a moment ago.
    fn notice(&self, letters: &[Letter]) {
        let Some(letter) =
            letters.last().filter(|_| !matches!(self.destination, LetterDestination::Discard))
        else {
            return;
        };
        if let Some(count) = self.notices.admit(letters.len() as u64) {
            let key = letter.key.as_ref().map(|key| self.user_ids.show(key).to_string());
            tracing::warn!(
                count,
                reason = letter.reason.as_str(),
                source = letter.source.as_str(),
                key,
                "events that can never be written"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Source;

    fn user_ids() -> UserIds {
        UserIds::Hashed
    }

    #[tokio::test]
    async fn events_are_dead_lettered_when_their_letters_are_kept_and_else_failed() {
        let dir = tempfile::tempdir().unwrap();
        let config = DeadLetter::File { path: dir.path().join("letters.ndjson"), max_size: 300 };
        let letters = DeadLetters::open(&config, user_ids()).unwrap();
        let reasons = [DeadReason::WrongType, DeadReason::Refused];
        let two = || reasons.map(|reason| Letter::new(reason, Source::Http, None, b"{}", None));
        assert_eq!(letters.keep(two().to_vec()).await, reasons.map(Outcome::DeadLettered));
        assert_eq!(letters.keep(two().to_vec()).await, [Outcome::Failed; 2], "the file is full");
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
