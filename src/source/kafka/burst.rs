//! A burst: records polled in a row. Each is decided on where librdkafka holds it, so that one that
//! is skipped is neither copied nor given an ack; those that are kept go to their lanes together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;

use crate::event::{Decision, Elements, SkipReason, events_of, untyped};
use crate::pipeline::{Busy, Job, Outcome, SmallRecord, Source};
use crate::trace::WorkSpan;

use super::admission::{BusyLane, ShortWait};
use super::burst_state::{Burst, BurstState};
use super::consumer::Consumer;
use super::deciding::{PolledRecord, RecordContent, decide};
use super::partition::{Blocked, Partition, PartitionFlow, Partitions};
use super::record::{self, PendingRecord};

/// The longest wait for a record.
const POLL: Duration = Duration::from_millis(20);
/// Records of a burst, at most.
const RECORDS: usize = 256;
/// Bytes at which a burst ends: until then its records are held besides what librdkafka may fetch
/// ahead.
const BYTES: usize = 512 << 10;

/// Records that are decided on where they were polled: giving them to another thread would take
/// longer.
const FEW: usize = 16;

/// What the events of a record were.
struct RecordEvents {
    topic: Arc<str>,
    events: u64,
    /// Those that were skipped for want of a type.
    untyped: u64,
}

impl Consumer {
    /// Polls records as long as there are some, a burst at most, and takes them into the pipeline,
    /// or gives them to a thread that decides on them and takes those of an earlier burst. Returns
    /// the error at which polling ended.
    pub(super) fn take_burst<'a>(&'a self, state: &mut BurstState<'a>) -> Option<KafkaError> {
        let wait = if state.deciders.are_idle() { POLL } else { Duration::ZERO };
        let (mut records, failure) = self.poll_records(wait);
        let no_more = records.is_empty();
        if !no_more {
            let burst = Burst { received: Instant::now(), span: WorkSpan::burst(&self.group_id) };
            burst.span.records(records.len());
            if state.deciders.are_idle() && (records.len() < FEW || !state.deciders.exist()) {
                burst.span.within(|| decide(&self.admission, &mut records));
                self.take_records(records, &burst, state);
            } else {
                state.deciders.send(records, burst);
            }
            self.member().unobstructed();
        }
        if (no_more || state.deciders.are_busy())
            && let Some((records, burst)) = state.deciders.receive()
        {
            self.take_records(records, &burst, state);
        }
        failure
    }

    fn poll_records(&self, mut wait: Duration) -> (Vec<PolledRecord<'_>>, Option<KafkaError>) {
        let (mut records, mut bytes) = (Vec::new(), 0);
        while records.len() < RECORDS && bytes < BYTES {
            match self.consumer.poll(std::mem::take(&mut wait)) {
                Some(Ok(message)) => {
                    bytes += message.payload_len() + message.key_len();
                    let generation = self.member().generation();
                    records.push(PolledRecord { message, generation, content: None });
                }
                Some(Err(error)) => return (records, Some(error)),
                None => break,
            }
        }
        (records, None)
    }

    fn take_records(
        &self,
        records: Vec<PolledRecord<'_>>,
        burst: &Burst,
        state: &mut BurstState<'_>,
    ) {
        burst.span.within(|| {
            let mut partitions = self.member().lock();
            for mut record in records {
                let value = record.message.payload().unwrap_or_default();
                let Some(content) = record.content.take() else { continue };
                let taken = self.take(&mut partitions, &record, content, burst.received, state);
                let Some(RecordEvents { topic, events, untyped }) = taken else { continue };
                if state.types.count(&topic, events, untyped) && warn_of_untyped(&topic, value) {
                    state.types.warned(&topic);
                }
            }
            self.flush(&mut partitions, state);
        });
    }

    /// Takes one record, or blocks its partition. `None`: it has no events, or is not taken.
    fn take(
        &self,
        partitions: &mut Partitions,
        record: &PolledRecord<'_>,
        content: RecordContent,
        received: Instant,
        state: &mut BurstState<'_>,
    ) -> Option<RecordEvents> {
        let message = &record.message;
        let partition = open(partitions, record)?;
        let (event, update) = match content {
            RecordContent::Empty => {
                partition.pass(message.offset());
                self.skip(SkipReason::Empty, state);
                return None;
            }
            RecordContent::One(_, Decision::Skipped(reason)) => {
                partition.pass(message.offset());
                self.skip(reason, state);
                let topic = Arc::clone(&partition.topic);
                let untyped = u64::from(reason == SkipReason::NoType);
                return Some(RecordEvents { topic, events: 1, untyped });
            }
            RecordContent::One(event, Decision::Update(update)) if !self.keeps_headers(message) => {
                (event, update)
            }
            content => return self.take_whole(partitions, record, content, received, state),
        };
        let (value, timestamp) =
            (message.payload().unwrap_or_default(), message.timestamp().to_millis());
        let topic = Arc::clone(&partition.topic);
        let (partition, offset, key) = (message.partition(), message.offset(), message.key());
        let small = SmallRecord { topic: &topic, partition, offset, timestamp, value, key, event };
        if !state.bundles.takes(&small, &update) {
            let content = RecordContent::One(small.event, Decision::Update(update));
            return self.take_whole(partitions, record, content, received, state);
        }
        let cost = small.cost(&update);
        if !state.bundles.has_room(cost) {
            // The lanes must have what is held here before there can be room.
            self.flush(partitions, state);
            let partition = open(partitions, record)?;
            // Only to wait: the bundles reserve what they take themselves.
            drop(self.admission.reserve(cost));
            if !state.bundles.has_room(cost) {
                self.block(partition, Blocked::before(offset));
                return None;
            }
        }
        let partition = open(partitions, record)?;
        let mut ack = partition.deliver_one(offset, received);
        state.counts.received += 1;
        ack.set_event_time(update.event_time());
        state.bundles.add(&small, update, ack);
        Some(RecordEvents { topic, events: 1, untyped: 0 })
    }

    /// Takes a record as a message of its own.
    fn take_whole(
        &self,
        partitions: &mut Partitions,
        record: &PolledRecord<'_>,
        content: RecordContent,
        received: Instant,
        state: &mut BurstState<'_>,
    ) -> Option<RecordEvents> {
        // Nothing may overtake what came before.
        self.flush(partitions, state);
        let (message, offset) = (&record.message, record.message.offset());
        let partition = open(partitions, record)?;
        let headers =
            if self.keeps_headers(message) { record::headers(message) } else { Vec::new() };
        let Some(held) = self.admission.reserve(record::cost(message, &headers)) else {
            self.block(partition, Blocked::before(offset));
            return None;
        };
        let topic = Arc::clone(&partition.topic);
        let deletes = self.admission.tombstones_delete && record::is_tombstone(message);
        let message = record::copy(message, deletes, &topic, headers, held);
        let (rest, decided) = match content {
            RecordContent::Empty => (Elements::default(), None),
            RecordContent::One(event, decision) => (Elements::default(), Some((event, decision))),
            RecordContent::Whole(events) => (events, None),
        };
        let events = rest.len() + usize::from(decided.is_some());
        // No other thread skips events of Kafka for want of a type, so the counter tells how many
        // this record had.
        let before = self.skipped_untyped();
        let position = partition.deliver(offset, events as u32);
        let mut pending = PendingRecord { message, position, received, job: None, rest };
        if let Some((event, decision)) = decided {
            self.admission.decided(&partition.assignment, &mut pending, event, decision);
        }
        if let Err(BusyLane(lane)) = self.admission.admit(&partition.assignment, &mut pending) {
            self.block(partition, Blocked::at(pending, lane, offset + 1));
            self.limit_pending(partitions, &topic, record.message.partition());
        }
        let untyped = self.skipped_untyped() - before;
        Some(RecordEvents { topic, events: events as u64, untyped })
    }

    /// Whether a record has headers that a dead letter would need.
    fn keeps_headers(&self, message: &BorrowedMessage<'_>) -> bool {
        self.keep_headers && record::has_headers(message)
    }

    /// Counts an event that has no ack.
    fn skip(&self, reason: SkipReason, state: &mut BurstState<'_>) {
        state.counts.received += 1;
        state.counts.skipped[reason as usize] += 1;
        self.member().breaker.count(Outcome::Skipped(reason));
    }

    fn skipped_untyped(&self) -> u64 {
        self.member().metrics.source(Source::Kafka).skipped(SkipReason::NoType).get()
    }

    /// Pushes the records that were kept, and blocks the partitions of those that find no place.
    fn flush(&self, partitions: &mut Partitions, state: &mut BurstState<'_>) {
        state.counts.flush(self.member().metrics.source(Source::Kafka));
        let mut wait = ShortWait::default();
        for (busy, job) in state.bundles.push() {
            self.push_again(partitions, busy, job, &mut wait);
        }
    }

    /// Offers a job again whose lane was `busy`, unless others of its partition wait: those come
    /// first.
    fn push_again(
        &self,
        partitions: &mut Partitions,
        busy: Busy,
        job: Box<Job>,
        wait: &mut ShortWait,
    ) {
        let Some((topic, number)) = job.record().map(|it| (Arc::clone(&it.topic), it.partition))
        else {
            return;
        };
        let Some(partition) = partitions.get_mut(&topic, number) else { return };
        match &mut partition.flow {
            PartitionFlow::Blocked(blocked) => blocked.pending.push_back(PendingRecord::of(job)),
            PartitionFlow::Open => {
                let Some(job) = self.admission.push_again(busy, job, wait) else { return };
                let lane = self.admission.intake.lane(&job);
                let resume_at = partition.next();
                self.block(partition, Blocked::at(PendingRecord::of(job), lane, resume_at));
            }
            // The partition is read again from this record: it fails.
            PartitionFlow::Rewinding { .. } | PartitionFlow::Closed => return,
        }
        self.limit_pending(partitions, &topic, number);
    }

    /// Pending records hold their room until lanes have some again: together they must leave enough
    /// for that.
    fn limit_pending(&self, partitions: &mut Partitions, topic: &str, number: i32) {
        let all: usize = partitions.iter().map(Partition::pending_bytes).sum();
        let Some(partition) = partitions.get_mut(topic, number) else { return };
        let own = partition.pending_bytes();
        if all > own && all > self.admission.intake.budget().limit() / 4 {
            partition.rewind();
            self.admission.intake.drop_cancelled();
        }
    }
}

/// The partition of a record; `None`: it was revoked or paused since the record was polled, and the
/// record is read again later.
fn open<'a>(
    partitions: &'a mut Partitions,
    record: &PolledRecord<'_>,
) -> Option<&'a mut Partition> {
    let (topic, number) = (record.message.topic(), record.message.partition());
    partitions
        .get_mut(topic, number)
        .filter(|partition| partition.is_open() && partition.since <= record.generation)
}

/// Warns that most events of `topic` have no type, and shows what the first event in `value`, the
/// latest record's, looks like. False when that one has a type after all: then the next record is
/// to be looked at.
fn warn_of_untyped(topic: &str, value: &[u8]) -> bool {
    let first = events_of(value).next(value);
    let Some(names) = first.and_then(|first| untyped(&value[first])) else { return false };
    let seen = if names.is_empty() {
        "no member that points to a wrapper".to_owned()
    } else {
        names.join(", ")
    };
    tracing::warn!(
        topic,
        seen,
        "most events of this topic have no `type` and are skipped as no_type; if they are in a \
         wrapper, have it removed, or send {{\"message\":event}}, \
         {{\"schema\":..,\"payload\":event}} or a CloudEvent with the event in `data`"
    );
    true
}
