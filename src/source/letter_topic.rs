//! The dead-letter topic, for `replay`: read once to the end that it has at the start. Offsets are
//! committed once their letters are settled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::config::KafkaClient;
use crate::dead_letter::KafkaRecord;
use crate::kafka::{
    ClientError, ClientEvents, PlainContext, client_config, creation_error, describe,
};
use crate::source::file::{KeptEvent, Replay, ReplayPosition, Watermark};

/// The name of this part in logs.
const PART: &str = "dead-letter topic";
/// How long the brokers may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Begins the names of the headers that this program adds to a letter.
const OWN: &str = "traitsink-";

/// A topic of dead letters.
pub struct LetterTopic {
    consumer: BaseConsumer<PlainContext>,
    topic: Arc<str>,
    partitions: HashMap<i32, LetterPartition>,
}

/// What is to be read of a partition.
struct LetterPartition {
    /// The offset behind the last letter.
    end: i64,
    /// The offset behind the last letter that was taken.
    taken: i64,
    watermark: Arc<Watermark>,
    committed: i64,
}

/// Why the topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LetterTopicError {
    #[error("{0}")]
    Settings(#[from] ClientError),
    #[error("the dead-letter topic {topic:?} cannot be read: {why}")]
    Unavailable { topic: Arc<str>, why: String },
}

impl LetterTopic {
    /// Finds out where each partition begins, which is behind what an earlier replay settled, and
    /// where it ends now. Blocks until the brokers answer.
    ///
    /// # Errors
    /// Settings that librdkafka refuses, and brokers that do not answer or do not know the topic.
    pub fn open(
        client: &KafkaClient,
        topic: &str,
        group_id: &str,
    ) -> Result<Self, LetterTopicError> {
        let events = Arc::new(ClientEvents::new(PART, client)?);
        let mut settings = client_config(client)?;
        settings
            .set("group.id", group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false");
        let consumer: BaseConsumer<PlainContext> =
            settings.create_with_context(PlainContext(events)).map_err(creation_error)?;
        let mut this = Self { consumer, topic: topic.into(), partitions: HashMap::new() };
        match this.find_partitions() {
            Ok(()) => Ok(this),
            Err(why) => Err(LetterTopicError::Unavailable { topic: this.topic, why }),
        }
    }

    fn find_partitions(&mut self) -> Result<(), String> {
        let why = |error: KafkaError| describe(&error);
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), TIMEOUT).map_err(why)?;
        let found = metadata.topics().iter().find(|found| found.name() == &*self.topic);
        let found = found.filter(|found| found.error().is_none() && !found.partitions().is_empty());
        let found = found.ok_or("the brokers do not know it")?;
        let mut wanted = TopicPartitionList::new();
        for partition in found.partitions() {
            wanted.add_partition(&self.topic, partition.id());
        }
        let committed = self.committed(&wanted).map_err(why)?;
        let mut assigned = TopicPartitionList::new();
        for partition in committed.elements() {
            let id = partition.partition();
            let (low, end) =
                self.consumer.fetch_watermarks(&self.topic, id, TIMEOUT).map_err(why)?;
            let start = match partition.offset() {
                Offset::Offset(offset) => offset.max(low),
                _ => low,
            };
            if start >= end {
                continue;
            }
            let begin =
                ReplayPosition { offset: start.unsigned_abs(), ..ReplayPosition::default() };
            let watermark = Watermark::new(begin);
            let read = LetterPartition { end, taken: start, watermark, committed: start };
            self.partitions.insert(id, read);
            assigned.add_partition_offset(&self.topic, id, Offset::Offset(start)).map_err(why)?;
        }
        self.consumer.assign(&assigned).map_err(why)
    }

    /// What an earlier replay committed. A group's first question finds no coordinator yet.
    fn committed(&self, wanted: &TopicPartitionList) -> Result<TopicPartitionList, KafkaError> {
        use rdkafka::types::RDKafkaErrorCode as Code;
        let asked = Instant::now();
        loop {
            match self.consumer.committed_offsets(wanted.clone(), TIMEOUT) {
                Err(error)
                    if asked.elapsed() < TIMEOUT
                        && matches!(
                            error.rdkafka_error_code(),
                            Some(
                                Code::NotCoordinator
                                    | Code::CoordinatorNotAvailable
                                    | Code::CoordinatorLoadInProgress
                            )
                        ) =>
                {
                    // Nothing is assigned yet: this only waits, and lets librdkafka log.
                    let _ = self.consumer.poll(POLL);
                }
                answered => return answered,
            }
        }
    }

    /// Letters that are to be read, at most.
    pub fn letters(&self) -> u64 {
        self.partitions.values().map(|partition| partition.end.abs_diff(partition.taken)).sum()
    }

    /// Reads the topic to the end, or to the stop, and returns when all that was taken is settled
    /// and committed. Blocks. `taken` is given the number of offsets passed.
    ///
    /// # Errors
    /// The brokers refuse to be read from, or to take the last commit; one line.
    pub fn replay(
        mut self,
        replay: &mut Replay,
        stop: &CancellationToken,
        runtime: &Handle,
        taken: impl Fn(u64),
    ) -> Result<(), String> {
        let mut committed_at = Instant::now();
        let is_left = |partition: &LetterPartition| partition.taken < partition.end;
        while !stop.is_cancelled() && self.partitions.values().any(is_left) {
            match self.consumer.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    let Some(partition) = self.partitions.get_mut(&message.partition()) else {
                        continue;
                    };
                    // Letters that fail again come behind the end.
                    let offset = message.offset().min(partition.end - 1);
                    let passed = (offset + 1).abs_diff(partition.taken);
                    let is_before_the_end = message.offset() == offset;
                    if is_before_the_end {
                        let record = record(&message, &self.topic);
                        let watermark = &partition.watermark;
                        let kept = kept(&message);
                        runtime.block_on(replay.take_letter_of(kept, record, watermark, passed));
                    }
                    partition.taken = offset + 1;
                    taken(passed);
                }
                // Offsets before the end may be free: compaction, transactions.
                Some(Err(KafkaError::PartitionEOF(id))) => {
                    if let Some(partition) = self.partitions.get_mut(&id) {
                        taken(partition.end.abs_diff(partition.taken));
                        partition.taken = partition.end;
                    }
                }
                Some(Err(error)) if is_transient(&error) => {
                    tracing::debug!("{PART}: {}", describe(&error));
                }
                Some(Err(error)) => return Err(self.failed(&error)),
            }
            if committed_at.elapsed() >= COMMIT_EVERY {
                // A commit that fails is made up for by the next.
                let _ = self.commit(CommitMode::Async);
                committed_at = Instant::now();
            }
        }
        for partition in self.partitions.values() {
            runtime.block_on(partition.watermark.wait_until_idle());
        }
        self.commit(CommitMode::Sync).map_err(|error| self.failed(&error))
    }

    /// Commits how far each partition is settled.
    fn commit(&mut self, mode: CommitMode) -> Result<(), KafkaError> {
        let mut offsets = TopicPartitionList::new();
        let mut reached = Vec::new();
        for (&id, partition) in &self.partitions {
            let offset = partition.watermark.position().offset as i64;
            if offset > partition.committed {
                offsets.add_partition_offset(&self.topic, id, Offset::Offset(offset))?;
                reached.push((id, offset));
            }
        }
        if reached.is_empty() {
            return Ok(());
        }
        self.consumer.commit(&offsets, mode)?;
        if matches!(mode, CommitMode::Sync) {
            for (id, offset) in reached {
                self.partitions.entry(id).and_modify(|partition| partition.committed = offset);
            }
        }
        Ok(())
    }

    fn failed(&self, error: &KafkaError) -> String {
        format!("the dead-letter topic {:?}: {}", &*self.topic, describe(error))
    }
}

/// librdkafka tries again by itself, except after a fatal error and where a login is refused.
fn is_transient(error: &KafkaError) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code();
    !matches!(
        code,
        Some(
            Code::Fatal
                | Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::SaslAuthenticationFailed
                | Code::UnknownTopicOrPartition
        )
    )
}

fn header<'a>(message: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a str> {
    let headers = message.headers()?;
    // The last one counts: a letter that failed again may have more than one.
    let value = headers.iter().filter(|header| header.key == name).last()?.value?;
    std::str::from_utf8(value).ok()
}

fn kept<'a>(message: &'a BorrowedMessage<'_>) -> KeptEvent<'a> {
    let own = |name: &str| header(message, &format!("{OWN}{name}"));
    let id = message.key().unwrap_or_default();
    let (text, source) = (message.payload().unwrap_or(id), own("source").unwrap_or_default());
    let ms = |name: &str| own(name)?.parse().ok();
    let times = [ms("event-time"), ms("timestamp"), message.timestamp().to_millis()];
    KeptEvent::new(text.into(), own("prefix"), own("prefix-path"), own("type"), source, times)
        .of_tombstone(message.payload().is_none())
}

/// The record that a letter was made of: a letter that fails again carries its key, its headers and
/// its place. A letter that was no record has its own place instead.
fn record(letter: &BorrowedMessage<'_>, topic: &Arc<str>) -> KafkaRecord {
    let own = |name: &str| header(letter, &format!("{OWN}{name}"));
    let headers = letter.headers().map_or_else(Vec::new, |headers| {
        let foreign = headers.iter().filter(|header| !header.key.starts_with(OWN));
        foreign
            .map(|header| (header.key.to_owned(), header.value.map(Bytes::copy_from_slice)))
            .collect()
    });
    let key = letter.key().map(Bytes::copy_from_slice);
    let place = own("topic").zip(own("partition").and_then(|number| number.parse().ok()));
    let place = place.zip(own("offset").and_then(|number| number.parse().ok()));
    match place {
        Some(((topic, partition), offset)) => KafkaRecord {
            topic: topic.into(),
            partition,
            offset,
            timestamp: own("timestamp").and_then(|number| number.parse().ok()),
            key,
            headers,
        },
        None => KafkaRecord {
            topic: Arc::clone(topic),
            partition: letter.partition(),
            offset: letter.offset(),
            timestamp: letter.timestamp().to_millis(),
            key,
            headers,
        },
    }
}
