//! The member of the consumer group: librdkafka's callbacks, on the polling thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, Statistics, TopicPartitionList};

use crate::kafka::ClientEvents;
use crate::lock::lock;
use crate::logging::Throttle;
use crate::metrics::Metrics;
use crate::pipeline::Intake;
use crate::readiness::Readiness;

use super::assignment::Assignment;
use super::lease::Lease;
use super::partition::{Partition, PartitionFlow, Partitions};
use super::shared_breaker::SharedBreaker;
use super::topic_ids::TopicIds;

/// The name of this part in `/ready`.
pub(super) const PART: &str = "kafka";

/// At most one log line in this time speaks of failed commits.
pub(super) const FAILED_COMMITS_EVERY: Duration = Duration::from_secs(10);

/// How long lanes may take to write the events of revoked partitions before those are taken back;
/// Redis may be away.
const DRAIN: Duration = Duration::from_secs(2);

/// Shared by the consumer loop and librdkafka's callbacks, all on the polling thread.
pub(super) struct GroupMember {
    pub(super) events: ClientEvents,
    pub(super) partitions: Mutex<Partitions>,
    pub(super) lease: Arc<Lease>,
    pub(super) breaker: Arc<SharedBreaker>,
    pub(super) intake: Arc<Intake>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: Arc<Readiness>,
    /// How long commits are held back.
    pub(super) failover_replay: Duration,
    /// How long a revoke may wait for what is in flight.
    pub(super) handover: Duration,
    /// Why records cannot be read, if the broker said so.
    pub(super) obstacle: Mutex<Option<String>>,
    pub(super) topic_ids: Mutex<TopicIds>,
    pub(super) failed_commits: Throttle,
    /// See [`GroupMember::generation`].
    pub(super) generation: AtomicU64,
    /// Whether the configuration asks for librdkafka's debug lines.
    pub(super) debug: bool,
}

impl GroupMember {
    pub(super) fn lock(&self) -> MutexGuard<'_, Partitions> {
        lock(&self.partitions)
    }

    /// Times that reading of any partition began, or began again somewhere else. A record that was
    /// polled before that of its partition is not taken.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The generation that begins now.
    pub(super) fn next_generation(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An assignment epoch that begins now.
    pub(super) fn epoch(&self) -> Arc<Assignment> {
        Assignment::new(
            Arc::clone(&self.lease),
            Arc::clone(&self.breaker),
            Arc::clone(&self.metrics),
        )
    }

    /// Sets the gauges of partitions.
    pub(super) fn update_gauges(&self, partitions: &Partitions) {
        let (mut assigned, mut paused) = (0, 0);
        for partition in partitions.iter() {
            assigned += 1;
            paused += i64::from(matches!(
                partition.flow,
                PartitionFlow::Blocked(_) | PartitionFlow::Rewinding { .. }
            ));
        }
        self.metrics.kafka.partitions_assigned.set(assigned);
        self.metrics.kafka.partitions_paused.set(paused);
    }

    /// Topics that were deleted and created again since the last call.
    pub(super) fn recreated(&self) -> Vec<String> {
        lock(&self.topic_ids).take_recreated()
    }

    /// Records cannot be read, for `reason`.
    pub(super) fn obstructed(&self, reason: String) {
        let mut obstacle = lock(&self.obstacle);
        if obstacle.as_ref() != Some(&reason) {
            tracing::warn!("Kafka: {reason}; retrying");
            self.readiness.waiting(PART, reason.clone());
            *obstacle = Some(reason);
        }
    }

    /// Records are read again, or partitions assigned.
    pub(super) fn unobstructed(&self) {
        if lock(&self.obstacle).take().is_some() {
            tracing::info!("Kafka is readable again");
        }
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        self.unobstructed();
        self.readiness.ready(PART);
        let since = self.next_generation();
        let mut partitions = self.lock();
        for element in list.elements() {
            partitions.insert(Partition::new(
                element.topic(),
                element.partition(),
                self.epoch(),
                since,
                self.failover_replay,
            ));
        }
        self.update_gauges(&partitions);
        tracing::info!(
            new = list.count(),
            all = self.metrics.kafka.partitions_assigned.get(),
            "partitions assigned"
        );
        drop(partitions);
        // A pause of an earlier assignment is still in force.
        if list.count() > 0
            && let Err(error) = consumer.resume(list)
        {
            tracing::warn!("Kafka: new partitions cannot be resumed: {error}");
        }
    }

    /// Stops taking records of the partitions in `list`, lets lanes write the events that were
    /// taken, takes back those that are not sent even then, waits for those that are, commits, and
    /// gives the partitions up.
    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let lost = consumer.assignment_lost();
        let deadline = Instant::now() + self.handover;
        let mut partitions = self.lock();
        let mut gone: Vec<Partition> = list
            .elements()
            .iter()
            .filter_map(|element| partitions.remove(element.topic(), element.partition()))
            .collect();
        self.update_gauges(&partitions);
        drop(partitions);
        for partition in &mut gone {
            partition.assignment.hand_over();
            // A pending record is dropped: its events cannot be offered while this thread waits
            // here.
            partition.flow = PartitionFlow::Closed;
        }
        if !lost {
            // Some lanes are further than others: an event that is not written by then is read
            // again, with all records behind it, which other lanes have written.
            let drained = Instant::now() + DRAIN.min(self.handover / 2);
            for partition in &gone {
                partition.assignment.wait_idle(drained);
            }
        }
        let mut gone: Vec<Partition> =
            gone.into_iter().map(|partition| self.give_up(partition)).collect();
        self.intake.drop_cancelled();
        let idle = gone.iter().filter(|partition| partition.assignment.wait_idle(deadline)).count();
        tracing::info!(
            partitions = list.count(),
            lost,
            all = self.metrics.kafka.partitions_assigned.get(),
            "partitions revoked"
        );
        if idle < gone.len() {
            tracing::warn!(
                partitions = gone.len() - idle,
                "partitions were handed over before Redis answered all writes"
            );
        }
        if !lost {
            let mut offsets = TopicPartitionList::new();
            for partition in &mut gone {
                let (committed, unsettled) =
                    (partition.committable(false), partition.assignment.unsettled());
                tracing::debug!(
                    topic = %partition.topic,
                    partition = partition.number,
                    committed,
                    unsettled,
                    "handed over"
                );
                if let Some(offset) = committed {
                    let offset = Offset::Offset(offset);
                    offsets
                        .add_partition_offset(&partition.topic, partition.number, offset)
                        .expect("an offset of a record");
                }
            }
            if offsets.count() > 0 {
                // When it gives a partition up, librdkafka commits the offset that was stored last,
                // even one below the committed offset: the next member would begin there, and write
                // again what is written.
                if let Err(error) = consumer.store_offsets(&offsets) {
                    tracing::debug!("Kafka: offsets of revoked partitions are not stored: {error}");
                }
                self.committed(&consumer.commit(&offsets, CommitMode::Sync));
            }
        }
    }

    /// Closes the partition's epoch and drops its pending record.
    pub(super) fn give_up(&self, mut partition: Partition) -> Partition {
        partition.assignment.close();
        partition.flow = PartitionFlow::Closed;
        self.metrics.kafka.remove_lag(&partition.topic, partition.number);
        partition
    }

    /// Notes how a commit ended.
    pub(super) fn committed(&self, result: &KafkaResult<()>) {
        match result {
            Ok(()) => self.metrics.kafka.commits.inc(),
            // There was nothing to commit.
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            // After an outage, all commits of its time fail at once.
            Err(error) => {
                if let Some(times) = self.failed_commits.admit(1) {
                    tracing::warn!(
                        times,
                        "Kafka: offsets are not committed, their records may be written again: \
                         {error}"
                    );
                }
            }
        }
    }
}

impl ClientContext for GroupMember {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(level, RDKafkaLogLevel::Debug) {
            lock(&self.topic_ids).note(message);
        }
        if self.debug || !matches!(level, RDKafkaLogLevel::Debug) {
            self.events.log(level, facility, message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.error(&error, reason);
    }

    fn generate_oauth_token(
        &self,
        _config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.events.token()
    }

    fn stats(&self, statistics: Statistics) {
        let mut partitions = self.lock();
        for (name, topic) in &statistics.topics {
            for (&number, numbers) in &topic.partitions {
                if let Some(partition) =
                    partitions.get_mut(name, number).filter(|_| numbers.consumer_lag_stored >= 0)
                {
                    let lag =
                        if partition.is_drained(numbers) { 0 } else { numbers.consumer_lag_stored };
                    self.metrics.kafka.set_lag(name, number, lag);
                }
            }
        }
        drop(partitions);
        let connected = statistics.brokers.values().any(|broker| broker.state == "UP");
        let steady = statistics
            .cgrp
            .is_some_and(|group| group.state == "up" && group.join_state == "steady");
        let obstructed = lock(&self.obstacle).is_some();
        if !connected {
            self.readiness
                .waiting(PART, self.events.trouble().unwrap_or_else(|| "no broker answers".into()));
        } else if steady && !obstructed {
            self.readiness.ready(PART);
        }
    }
}

impl ConsumerContext for GroupMember {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(_) => {}
            Rebalance::Revoke(list) => {
                self.metrics.kafka.rebalances.inc();
                self.revoked(consumer, list);
            }
            Rebalance::Error(error) => tracing::warn!("Kafka: rebalance failed: {error}"),
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            self.metrics.kafka.rebalances.inc();
            self.assigned(consumer, list);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        self.committed(&result);
    }
}
