//! `replay --dead-letter-topic`.

use std::process::ExitCode;
#[cfg(feature = "kafka")]
use std::sync::Arc;
#[cfg(feature = "kafka")]
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::app::StartError;
use crate::cli::ReplayArgs;
use crate::config::Config;
#[cfg(feature = "kafka")]
use crate::config::DeadLetter;
use crate::exit::Exit;
#[cfg(feature = "kafka")]
use crate::source::file::{PositionCounts, ReplayPosition, Watermark};
#[cfg(feature = "kafka")]
use crate::source::letter_topic::{LetterTopic, LetterTopicError};

#[cfg(feature = "kafka")]
use super::session::ReplaySession;

/// The group of a configuration without `[kafka]`, as its default is.
#[cfg(feature = "kafka")]
const GROUP: &str = "traitsink";

/// Sends the letters of the dead-letter topic through to Redis, to the end that it has now.
#[cfg(feature = "kafka")]
pub(super) async fn deliver(
    config: &Config,
    args: &ReplayArgs,
    quiet: bool,
) -> Result<ExitCode, StartError> {
    let DeadLetter::Kafka { client, topic } = config.dead_letter.clone() else {
        let message = "--dead-letter-topic needs dead_letter.to = \"kafka\" and \
                       dead_letter.topic; name the files of other dead letters";
        return Err(StartError { message: message.to_owned(), code: Exit::CONFIG });
    };
    let group = config.kafka.as_ref().map_or(GROUP, |kafka| &kafka.group_id);
    let group = format!("{group}-replay");
    let opening = move || LetterTopic::open(&client, &topic, &group);
    let letters = tokio::task::spawn_blocking(opening).await.expect("opening does not panic");
    let letters = letters.map_err(|error| StartError {
        message: error.to_string(),
        code: match error {
            LetterTopicError::Settings(_) => Exit::CONFIG,
            LetterTopicError::Unavailable { .. } => Exit::UNAVAILABLE,
        },
    })?;
    let session = ReplaySession::start(config, args, quiet, PositionCounts::default()).await?;
    let unused = Watermark::new(ReplayPosition::default());
    let mut replay = session.replay(config, args, unused);
    let read = Arc::new(AtomicU64::new(0));
    let progress = session.progress(args, Arc::clone(&read), Some(letters.letters()), "letters");
    let (runtime, stop) = (tokio::runtime::Handle::current(), session.lifecycle.soft.clone());
    let reading = tokio::task::spawn_blocking(move || {
        letters.replay(&mut replay, &stop, &runtime, |passed| {
            read.fetch_add(passed, Relaxed);
        })
    });
    session.run(reading, progress).await.exit_code()
}

/// Without the Kafka client there is no such topic.
#[cfg(not(feature = "kafka"))]
pub(super) async fn deliver(_: &Config, _: &ReplayArgs, _: bool) -> Result<ExitCode, StartError> {
    let message = "--dead-letter-topic: this program was built without Kafka (cargo feature \
                   \"kafka\")";
    Err(StartError { message: message.to_owned(), code: Exit::USAGE })
}
