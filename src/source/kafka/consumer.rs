//! The polling thread: takes records, keeps the partitions flowing, stores offsets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::kafka::explain;
use crate::pipeline::{Bundles, Health};

use super::admission::RecordAdmission;
use super::burst_state::BurstState;
use super::deciding::{PolledRecord, decide, deciding_threads};
use super::idle_group::{IdleTimer, is_group_idle};
use super::member::{GroupMember, PART};
use super::ordered_threads::OrderedThreads;
use super::partition::Partition;

/// How often partitions are moved on.
const TICK: Duration = Duration::from_millis(20);

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
    pub(super) fn run(self) -> Ended {
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

    fn poll(&self) -> Ended {
        std::thread::scope(|scope| {
            let admission = &self.admission;
            let decide = |records: &mut Vec<PolledRecord<'_>>| decide(admission, records);
            let threads = ("kafka-decide", deciding_threads());
            let deciders = OrderedThreads::start(scope, threads, decide);
            let RecordAdmission { intake, prefix, .. } = &self.admission;
            let bundles = Bundles::new(Arc::clone(intake), prefix.clone());
            self.poll_with(BurstState::new(deciders, bundles))
        })
    }

    fn poll_with<'a>(&'a self, mut burst: BurstState<'a>) -> Ended {
        let mut loss_epochs = self.loss_epochs.clone();
        let (mut next_tick, mut rejoining) = (Instant::now(), false);
        let mut idle = IdleTimer::default();
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
            if let Some(error) = self.take_burst(&mut burst)
                && let Some(ended) = self.failed(&error)
            {
                return ended;
            }
            if Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                // Read before `loss_epochs`: a loss is counted before Redis counts as up again.
                let redis_is_up = self.health.is_up();
                if loss_epochs.has_changed().unwrap_or(false) {
                    loss_epochs.mark_unchanged();
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
