//! A burst: records polled in a row. Each is decided on where librdkafka holds it, so that one that
//! is skipped is neither copied nor given an ack; those that are kept go to their lanes together.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;

use crate::event::{Decision, Elements, SkipReason, events_of, untyped};
use crate::pipeline::{Busy, Job, Outcome, SmallRecord, Source};
use crate::trace::WorkSpan;

use super::admission::{BusyLane, ShortWait};
use super::burst_state::BurstState;
use super::consumer::Consumer;
use super::partition::{Blocked, Partition, PartitionFlow, Partitions};
use super::record::{self, PendingRecord};

/// The longest wait for a record.
const POLL: Duration = Duration::from_millis(20);
/// Records of a burst, at most.
const RECORDS: usize = 256;
/// Bytes at which a burst ends: until then its records are held besides what librdkafka may fetch
/// ahead.
const BYTES: usize = 512 << 10;

/// A record, and when it was polled.
struct PolledRecord<'a> {
    message: BorrowedMessage<'a>,
    /// [`super::member::GroupMember::assignments`] at that time.
    assignments: u64,
}

/// What the events of a record were.
struct RecordEvents {
    topic: Arc<str>,
    events: u64,
    /// Those that were skipped for want of a type.
    untyped: u64,
}

impl Consumer {
    /// Polls records as long as there are some, a burst at most, and takes them into the pipeline.
    /// Returns the error at which the burst ended.
    pub(super) fn take_burst(&self, state: &mut BurstState) -> Option<KafkaError> {
        let (mut records, mut bytes, mut wait) = (Vec::new(), 0, POLL);
        let failure = loop {
            match self.consumer.poll(std::mem::take(&mut wait)) {
                Some(Ok(message)) => {
                    bytes += message.payload_len() + message.key_len();
                    records
                        .push(PolledRecord { message, assignments: self.member().assignments() });
                }
                Some(Err(error)) => break Some(error),
                None => break None,
            }
            if records.len() == RECORDS || bytes >= BYTES {
                break None;
            }
        };
        if !records.is_empty() {
            let span = WorkSpan::burst(&self.group_id);
            span.within(|| self.take_records(&records, state));
            span.records(records.len());
            self.member().unobstructed();
        }
        failure
    }

    fn take_records(&self, records: &[PolledRecord<'_>], state: &mut BurstState) {
        let received = Instant::now();
        let mut partitions = self.member().lock();
        for record in records {
            let Some(taken) = self.take(&mut partitions, record, received, state) else { continue };
            let RecordEvents { topic, events, untyped } = taken;
            if state.types.count(&topic, events, untyped)
                && warn_of_untyped(&topic, record.message.payload().unwrap_or_default())
            {
                state.types.warned(&topic);
            }
        }
        self.flush(&mut partitions, state);
    }

    /// Takes one record, or blocks its partition. `None`: it has no events, or is not taken.
    fn take(
        &self,
        partitions: &mut Partitions,
        record: &PolledRecord<'_>,
        received: Instant,
        state: &mut BurstState,
    ) -> Option<RecordEvents> {
        let message = &record.message;
        let partition = open(partitions, record)?;
        let deletes = self.admission.tombstones_delete && record::is_tombstone(message);
        let (value, timestamp) =
            (message.payload().unwrap_or_default(), message.timestamp().to_millis());
        let (intake, source) = (&self.admission.intake, Some(Source::Kafka));
        if !deletes
            && let origin = self.admission.origin(timestamp, None)
            && let Some(decision) = intake.decide_bare(value, origin, source)
        {
            let decided = (0..value.len(), decision);
            return self.take_decided(partitions, record, decided, received, state);
        }
        let mut events =
            if deletes { Elements::one(0..message.key_len()) } else { events_of(value) };
        if events.is_empty() {
            partition.pass(message.offset());
            self.skip(SkipReason::Empty, state);
            return None;
        }
        if deletes || events.len() > 1 {
            return self.take_whole(partitions, record, events, None, received, state);
        }
        let event = events.next(value)?;
        let origin = self.admission.origin(timestamp, events.sent_at(value));
        let decision = intake.decide(&value[event.clone()], origin, source);
        self.take_decided(partitions, record, (event, decision), received, state)
    }

    /// Takes a record with one event, whose place in the value and the decision on it are known.
    fn take_decided(
        &self,
        partitions: &mut Partitions,
        record: &PolledRecord<'_>,
        (event, decision): (Range<usize>, Decision),
        received: Instant,
        state: &mut BurstState,
    ) -> Option<RecordEvents> {
        let message = &record.message;
        let partition = open(partitions, record)?;
        let update = match decision {
            Decision::Skipped(reason) => {
                partition.pass(message.offset());
                self.skip(reason, state);
                let topic = Arc::clone(&partition.topic);
                let untyped = u64::from(reason == SkipReason::NoType);
                return Some(RecordEvents { topic, events: 1, untyped });
            }
            Decision::Update(update) => update,
            rejected @ Decision::Rejected(_) => {
                return self.take_one(partitions, record, (event, rejected), received, state);
            }
        };
        if self.keep_headers && record::has_headers(message) {
            let decided = (event, Decision::Update(update));
            return self.take_one(partitions, record, decided, received, state);
        }
        let (value, timestamp) =
            (message.payload().unwrap_or_default(), message.timestamp().to_millis());
        let topic = Arc::clone(&partition.topic);
        let (partition, offset, key) = (message.partition(), message.offset(), message.key());
        let small = SmallRecord { topic: &topic, partition, offset, timestamp, value, key, event };
        if !state.bundles.takes(&small, &update) {
            let decided = (small.event, Decision::Update(update));
            return self.take_one(partitions, record, decided, received, state);
        }
        let cost = small.cost(&update);
        if !state.bundles.has_room(cost) {
            // The lanes must have what is held here before there can be room.
            self.flush(partitions, state);
            let partition = open(partitions, record)?;
            let room = self.admission.reserve(cost);
            drop(room);
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

    /// Takes a record with one event as a message of its own.
    fn take_one(
        &self,
        partitions: &mut Partitions,
        record: &PolledRecord<'_>,
        decided: (Range<usize>, Decision),
        received: Instant,
        state: &mut BurstState,
    ) -> Option<RecordEvents> {
        let none = Elements::default();
        self.take_whole(partitions, record, none, Some(decided), received, state)
    }

    /// Takes a record as a message of its own. `decided`: the place of its only event, and the
    /// decision on it, if that is known.
    fn take_whole(
        &self,
        partitions: &mut Partitions,
        record: &PolledRecord<'_>,
        events: Elements,
        decided: Option<(Range<usize>, Decision)>,
        received: Instant,
        state: &mut BurstState,
    ) -> Option<RecordEvents> {
        // Nothing may overtake what came before.
        self.flush(partitions, state);
        let (message, offset) = (&record.message, record.message.offset());
        let partition = open(partitions, record)?;
        let headers = if self.keep_headers { record::headers(message) } else { Vec::new() };
        let Some(held) = self.admission.reserve(record::cost(message, &headers)) else {
            self.block(partition, Blocked::before(offset));
            return None;
        };
        let topic = Arc::clone(&partition.topic);
        let deletes = self.admission.tombstones_delete && record::is_tombstone(message);
        let message = record::copy(message, deletes, &topic, headers, held);
        let events_left = events.len() + usize::from(decided.is_some());
        // No other thread skips events of Kafka for want of a type, so the counter tells how many
        // this record had.
        let before = self.skipped_untyped();
        let position = partition.deliver(offset, events_left as u32);
        let mut pending = PendingRecord { message, position, received, job: None, rest: events };
        if let Some((event, decision)) = decided {
            self.admission.decided(&partition.assignment, &mut pending, event, decision);
        }
        if let Err(BusyLane(lane)) = self.admission.admit(&partition.assignment, &mut pending) {
            self.block(partition, Blocked::at(pending, lane, offset + 1));
            self.limit_pending(partitions, &topic, record.message.partition());
        }
        let untyped = self.skipped_untyped() - before;
        Some(RecordEvents { topic, events: events_left as u64, untyped })
    }

    /// Counts an event that has no ack.
    fn skip(&self, reason: SkipReason, state: &mut BurstState) {
        state.counts.received += 1;
        state.counts.skipped[reason as usize] += 1;
        self.member().breaker.count(Outcome::Skipped(reason));
    }

    fn skipped_untyped(&self) -> u64 {
        self.member().metrics.source(Source::Kafka).skipped(SkipReason::NoType).get()
    }

    /// Pushes the records that were kept, and blocks the partitions of those that find no place.
    fn flush(&self, partitions: &mut Partitions, state: &mut BurstState) {
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
        .filter(|partition| partition.is_open() && partition.since <= record.assignments)
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
