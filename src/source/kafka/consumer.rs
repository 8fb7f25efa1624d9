//! The polling thread: takes records, keeps the partitions flowing, stores offsets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::event::{Elements, SkipReason, events_of, untyped};
use crate::kafka::explain;
use crate::pipeline::{Health, Outcome, Source};
use crate::trace::WorkSpan;

use super::admission::{BusyLane, RecordAdmission};
use super::idle_group::{IdleTimer, is_group_idle};
use super::member::{GroupMember, PART};
use super::missing_types::MissingTypes;
use super::partition::{Blocked, Partition};
use super::record::{self, PendingRecord};

/// The longest wait for a record.
const POLL: Duration = Duration::from_millis(20);
/// How often partitions are moved on.
const TICK: Duration = Duration::from_millis(20);
/// Records taken in a row before the clock is read and the partitions are moved on.
const BURST: usize = 256;

/// Why the source has ended.
#[derive(Debug)]
pub enum Ended {
    /// The source was asked to stop.
    Stopped,
    /// Too many events went into the dead letters: `dead_letter.breaker`.
    Breaker,
    /// The source cannot go on, for this reason.
    Failed(String),
}

/// The polling thread: the client, and all that a record needs on its way.
pub(super) struct Consumer {
    pub(super) consumer: BaseConsumer<GroupMember>,
    pub(super) topics: Vec<String>,
    pub(super) group_id: String,
    pub(super) admission: RecordAdmission,
    pub(super) health: Arc<Health>,
    /// Counts the times that Redis may have lost confirmed writes.
    pub(super) loss_epochs: watch::Receiver<u64>,
    /// Whether dead letters need the records' headers.
    pub(super) keep_headers: bool,
    /// `max.poll.interval.ms`.
    pub(super) max_poll_interval: Duration,
    /// Stops taking records; those that were taken are finished.
    pub(super) stop: CancellationToken,
    /// Drops everything.
    pub(super) hard: CancellationToken,
}

impl Consumer {
    /// Polls until the stop. Blocks.
    pub(super) fn run(mut self) -> Ended {
        let ended = match self.subscribe() {
            Ok(()) => self.poll(),
            Err(error) => Ended::Failed(format!("cannot subscribe: {error}")),
        };
        if self.hard.is_cancelled() {
            self.give_up_all();
        } else {
            self.store_offsets(false);
            if !matches!(ended, Ended::Stopped) {
                // Others may own the partitions by now: nothing more of them is written.
                self.give_up_all();
            }
            self.member().committed(&self.consumer.commit_consumer_state(CommitMode::Sync));
        }
        ended
    }

    pub(super) fn member(&self) -> &GroupMember {
        self.consumer.context()
    }

    fn subscribe(&self) -> Result<(), KafkaError> {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        self.member().lease.begin();
        self.consumer.subscribe(&topics)
    }

    fn poll(&mut self) -> Ended {
        let (mut next_tick, mut rejoining) = (Instant::now(), false);
        let (mut types, mut idle) = (MissingTypes::default(), IdleTimer::default());
        while !self.is_over() {
            if rejoining {
                // librdkafka must have let go of everything first: while it rebalances, it would
                // forget that it was to leave.
                if self.has_left() {
                    rejoining = false;
                    if let Err(error) = self.subscribe() {
                        return Ended::Failed(format!("cannot join the group again: {error}"));
                    }
                }
            } else if !self.member().lease.renew() {
                if self.member().lease.age() >= self.max_poll_interval {
                    return self.stood_still();
                }
                let partitions = self.leave();
                tracing::warn!(
                    partitions,
                    "this process stood still for too long; what it held is given up, and it joins \
                     the group again"
                );
                rejoining = true;
            }
            let (mut wait, mut received) = (POLL, None::<(Instant, WorkSpan)>);
            let mut records = 0;
            for _ in 0..BURST {
                match self.consumer.poll(std::mem::take(&mut wait)) {
                    Some(Ok(message)) => {
                        records += 1;
                        let (received, span) = received.get_or_insert_with(|| {
                            (Instant::now(), WorkSpan::burst(&self.group_id))
                        });
                        span.within(|| self.take(&message, *received, &mut types))
                    }
                    Some(Err(error)) => match self.failed(&error) {
                        Some(ended) => return ended,
                        None => break,
                    },
                    None => break,
                }
            }
            if let Some((_, span)) = received {
                span.records(records);
                self.member().unobstructed();
            }
            if Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                // Read before `loss_epochs`: a loss is counted before Redis counts as up again.
                let redis_is_up = self.health.is_up();
                if self.loss_epochs.has_changed().unwrap_or(false) {
                    self.loss_epochs.mark_unchanged();
                    self.replay();
                }
                self.member().recreated().iter().for_each(|topic| self.restart_topic(topic));
                self.move_partitions_on();
                self.store_offsets(redis_is_up);
                rejoining = rejoining || self.check_group(&mut idle);
            }
            if self.member().breaker.tripped() {
                return Ended::Breaker;
            }
        }
        Ended::Stopped
    }

    fn is_over(&self) -> bool {
        self.hard.is_cancelled() || (self.stop.is_cancelled() && self.finished())
    }

    /// Takes one record into the pipeline, or blocks its partition.
    fn take(&self, message: &BorrowedMessage<'_>, received: Instant, types: &mut MissingTypes) {
        // No other thread skips events of Kafka for want of a type, so the counter tells how many
        // this record had.
        let before = self.skipped_untyped();
        let Some((topic, events)) = self.push(message, received) else { return };
        let skipped = self.skipped_untyped() - before;
        if types.count(&topic, events, skipped)
            && warn_of_untyped(&topic, message.payload().unwrap_or_default())
        {
            types.warned(&topic);
        }
    }

    fn skipped_untyped(&self) -> u64 {
        self.member().metrics.source(Source::Kafka).skipped(SkipReason::NoType).get()
    }

    /// Offers the events of a record to the pipeline, as far as there is room. Returns the topic
    /// and the number of events; `None` when there is nothing to offer or no room for the record.
    fn push(&self, message: &BorrowedMessage<'_>, received: Instant) -> Option<(Arc<str>, u64)> {
        let mut partitions = self.member().lock();
        // A partition that was revoked or paused a moment ago is read again later.
        let (topic, number) = (message.topic(), message.partition());
        let partition = partitions.get_mut(topic, number).filter(|one| one.is_open())?;
        let offset = message.offset();
        let deletes = self.admission.tombstones_delete && record::is_tombstone(message);
        let events = if deletes {
            Elements::one(0..message.key_len())
        } else {
            events_of(message.payload().unwrap_or_default())
        };
        if events.is_empty() {
            let position = partition.deliver(offset, 1);
            partition
                .assignment
                .ack(position, received)
                .settle(Outcome::Skipped(SkipReason::Empty));
            return None;
        }
        let headers = if self.keep_headers { record::headers(message) } else { Vec::new() };
        let Some(held) = self.admission.reserve(record::cost(message, &headers)) else {
            self.block(partition, Blocked { pending: None, lane: None, resume_at: offset });
            return None;
        };
        let message = record::copy(message, deletes, &partition.topic, headers, held);
        let position = partition.deliver(offset, events.len() as u32);
        let taken = (Arc::clone(&partition.topic), events.len() as u64);
        let mut pending = PendingRecord { message, position, received, job: None, rest: events };
        if let Err(BusyLane(lane)) = self.admission.admit(&partition.assignment, &mut pending) {
            let others: usize = partitions.iter().map(Partition::pending_bytes).sum();
            let partition = partitions.get_mut(topic, number).expect("found above");
            self.block(
                partition,
                Blocked { pending: Some(pending), lane: Some(lane), resume_at: offset + 1 },
            );
            // Pending records hold their room until lanes have some again: together they must leave
            // enough for that.
            if others > 0
                && others + partition.pending_bytes() > self.admission.intake.budget().limit() / 4
            {
                partition.rewind();
                self.admission.intake.drop_cancelled();
            }
        }
        Some(taken)
    }

    /// Judges an error that librdkafka returned instead of a record; polling goes on unless this
    /// ends the source.
    fn failed(&self, error: &KafkaError) -> Option<Ended> {
        if let Some((_, reason)) = self.consumer.client().fatal_error() {
            return Some(Ended::Failed(reason));
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PollExceeded) => Some(self.stood_still()),
            Some(RDKafkaErrorCode::AutoOffsetReset) => Some(Ended::Failed(format!(
                "the committed offset is gone and kafka.auto_offset_reset = \"error\": {error}; \
                 choose earliest or latest"
            ))),
            Some(code) if is_obstacle(code) => {
                self.member().obstructed(explain(code, &error.to_string()));
                None
            }
            // Connections come and go; the statistics show whether one is up.
            Some(_) | None => None,
        }
    }

    /// The source was not polled for so long that the group gives the partitions to others although
    /// the member sends heartbeats: something is wrong with this process.
    fn stood_still(&self) -> Ended {
        let reason = "not polled for longer than max.poll.interval.ms: the group has given the \
            partitions to others";
        self.member().readiness.waiting(PART, reason);
        Ended::Failed(reason.into())
    }

    /// Closes all partitions and fails their queued events; returns how many partitions there were.
    fn give_up_all(&self) -> usize {
        let member = self.member();
        let given_up: Vec<Partition> =
            member.lock().clear().map(|partition| member.give_up(partition)).collect();
        member.intake.drop_cancelled();
        given_up.len()
    }

    /// Gives everything up and leaves the group; the member joins again once [`Self::has_left`].
    /// Returns how many partitions there were.
    fn leave(&self) -> usize {
        let partitions = self.give_up_all();
        self.consumer.unsubscribe();
        partitions
    }

    fn has_left(&self) -> bool {
        let none =
            |list: Result<TopicPartitionList, KafkaError>| list.is_ok_and(|list| list.count() == 0);
        none(self.consumer.subscription()) && none(self.consumer.assignment())
    }

    /// Leaves a group in which no member has a partition although the topics have some, to join it
    /// again. Returns whether it left.
    fn check_group(&self, idle: &mut IdleTimer) -> bool {
        if self.stop.is_cancelled() || self.member().lock().iter().next().is_some() {
            idle.reset();
            return false;
        }
        if !idle.is_long() {
            return false;
        }
        match is_group_idle(&self.consumer, &self.group_id, &self.topics) {
            Ok(true) => {
                tracing::info!(
                    "no member of the group has a partition, though the topics have some; joining \
                     again"
                );
                self.leave();
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::debug!(
                    "Kafka: the group cannot be asked why there is no partition: {error}"
                );
                false
            }
        }
    }

    /// Stores with librdkafka the offsets that it may commit; with `release`, also those that were
    /// held back for long enough.
    fn store_offsets(&self, release: bool) {
        let mut offsets = TopicPartitionList::new();
        for partition in self.member().lock().iter_mut() {
            if let Some(offset) = partition.advanced(release) {
                let offset = Offset::Offset(offset);
                offsets
                    .add_partition_offset(&partition.topic, partition.number, offset)
                    .expect("an offset of a record");
            }
        }
        if offsets.count() > 0
            && let Err(error) = self.consumer.store_offsets(&offsets)
        {
            // The partitions belong to another member by now; the revoke is on its way.
            tracing::debug!("Kafka: offsets are not stored: {error}");
        }
    }
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

/// Whether the error is one of a topic or of the group, which stays until an operator mends it.
fn is_obstacle(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as E;
    matches!(
        code,
        E::UnknownTopicOrPartition
            | E::UnknownTopic
            | E::UnknownPartition
            | E::InvalidTopic
            | E::TopicAuthorizationFailed
            | E::GroupAuthorizationFailed
            | E::UnknownGroup
            | E::InvalidGroupId
            | E::InvalidSessionTimeout
            | E::InconsistentGroupProtocol
    )
}
