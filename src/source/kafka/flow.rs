//! Pausing partitions, and resuming them.

use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use super::admission::BusyLane;
use super::consumer::Consumer;
use super::partition::{Blocked, Partition, PartitionFlow};

/// How long librdkafka may take to note a new position.
const SEEK: Duration = Duration::from_secs(5);

/// Records of a partition that are remembered behind one that is not settled, 16 bytes each. An
/// event that Redis refuses for ever stops its partition in the end: memory is bounded, and so is
/// what a restart writes again.
const MOST_BEHIND: usize = 250_000;

impl Consumer {
    /// Pauses `partition` until there is room for `blocked`.
    pub(super) fn block(&self, partition: &mut Partition, blocked: Blocked) {
        self.pause(partition);
        self.member().metrics.kafka.pauses.inc();
        partition.flow = PartitionFlow::Blocked(blocked);
    }

    /// Takes the next step for every partition that is not open, if there is one.
    pub(super) fn move_partitions_on(&self) {
        let mut partitions = self.member().lock();
        let stopping = self.stop.is_cancelled();
        for partition in partitions.iter_mut() {
            if partition.assignment.has_failed()
                && !matches!(partition.flow, PartitionFlow::Rewinding { .. })
            {
                self.pause(partition);
                partition.rewind();
                self.member().intake.drop_cancelled();
            }
            partition.flow = match std::mem::replace(&mut partition.flow, PartitionFlow::Closed) {
                PartitionFlow::Open if stopping => {
                    self.pause(partition);
                    PartitionFlow::Closed
                }
                PartitionFlow::Open => match partition.assignment.exceeds(MOST_BEHIND) {
                    Some(resume_at) => {
                        self.block(partition, Blocked::before(resume_at));
                        continue;
                    }
                    None => PartitionFlow::Open,
                },
                PartitionFlow::Blocked(blocked) => self.unblock(partition, blocked, stopping),
                PartitionFlow::Rewinding { not_before, to }
                    if stopping
                        || Instant::now() < not_before
                        || !partition.assignment.is_idle() =>
                {
                    PartitionFlow::Rewinding { not_before, to }
                }
                PartitionFlow::Rewinding { not_before, to } => {
                    let offset =
                        to.or_else(|| partition.assignment.unsettled().map(Offset::Offset));
                    let flow = self.resume_at(
                        partition,
                        offset.expect("the record of a failed event is never settled"),
                    );
                    if flow.is_some() {
                        partition.begin(self.member().epoch());
                    }
                    flow.unwrap_or(PartitionFlow::Rewinding { not_before, to })
                }
                flow => flow,
            };
        }
        self.member().update_gauges(&partitions);
    }

    /// Rewinds every partition to the offset that may be committed: Redis may have lost writes that
    /// it confirmed since. A process that stops leaves that to the next.
    pub(super) fn replay(&self) {
        let mut partitions = self.member().lock();
        for partition in partitions.iter_mut() {
            let Some((back_to, from)) = partition.lost() else { continue };
            if self.stop.is_cancelled() {
                continue;
            }
            self.pause(partition);
            partition.replay(back_to);
            self.member().metrics.kafka.replays.inc();
            tracing::warn!(
                topic = %partition.topic,
                partition = partition.number,
                from,
                back_to,
                "reading again what Redis may have lost"
            );
        }
        drop(partitions);
        self.member().intake.drop_cancelled();
    }

    /// Reads all of `topic`, which was deleted and created again: positions in the old one mean
    /// nothing in the new one.
    pub(super) fn restart_topic(&self, topic: &str) {
        let mut partitions = self.member().lock();
        let (mut first, mut reached) = (TopicPartitionList::new(), Vec::new());
        for partition in partitions.iter_mut().filter(|partition| *partition.topic == *topic) {
            self.pause(partition);
            reached.push((partition.number, partition.restart(self.member().failover_replay)));
            first
                .add_partition_offset(topic, partition.number, Offset::Offset(0))
                .expect("an offset");
        }
        drop(partitions);
        self.member().intake.drop_cancelled();
        self.member().metrics.kafka.topics_recreated.inc();
        tracing::warn!(
            topic,
            ?reached,
            "the topic was deleted and created again: its partitions are read from the beginning; \
             what the old topic held and was not read is gone"
        );
        // The stored and the committed offsets belong to the old topic: a worker that began there
        // would skip every record below them.
        let forgotten = self
            .consumer
            .store_offsets(&first)
            .and_then(|()| self.consumer.commit(&first, CommitMode::Async));
        if first.count() > 0
            && let Err(error) = forgotten
        {
            tracing::warn!(
                topic,
                "Kafka: the offsets of the old topic are still committed: {error}"
            );
        }
    }

    /// Whether every record that was taken is finished.
    pub(super) fn finished(&self) -> bool {
        self.member().lock().iter().all(|partition| {
            !matches!(partition.flow, PartitionFlow::Open | PartitionFlow::Blocked(_))
                && partition.assignment.is_idle()
        })
    }

    fn unblock(
        &self,
        partition: &mut Partition,
        mut blocked: Blocked,
        stopping: bool,
    ) -> PartitionFlow {
        let far_ahead =
            blocked.pending.is_empty() && partition.assignment.exceeds(MOST_BEHIND / 2).is_some();
        if far_ahead || !self.member().intake.has_room(blocked.lane) {
            return PartitionFlow::Blocked(blocked);
        }
        while let Some(pending) = blocked.pending.front_mut() {
            if let Err(BusyLane(lane)) = self.admission.admit(&partition.assignment, pending) {
                return PartitionFlow::Blocked(Blocked { lane: Some(lane), ..blocked });
            }
            blocked.pending.pop_front();
        }
        if stopping {
            return PartitionFlow::Closed;
        }
        let resume_at = blocked.resume_at;
        self.resume_at(partition, Offset::Offset(resume_at))
            .unwrap_or(PartitionFlow::Blocked(Blocked::before(resume_at)))
    }

    /// Resumes a paused partition at `offset`. `None`, and it stays paused, when librdkafka
    /// refuses.
    fn resume_at(&self, partition: &mut Partition, offset: Offset) -> Option<PartitionFlow> {
        let seek = || self.consumer.seek(&partition.topic, partition.number, offset, SEEK);
        let resume = || self.consumer.resume(&list(partition));
        let resumed = match offset {
            Offset::Offset(_) => seek().and_then(|()| resume()),
            // librdkafka must first ask where the beginning is. A resume that comes in between
            // makes it drop the answer and ask again later. Records that are delivered before the
            // seek are not taken.
            _ => resume().and_then(|()| seek()),
        };
        match resumed {
            Ok(()) => {
                partition.since = self.member().next_generation();
                Some(PartitionFlow::Open)
            }
            Err(error) => {
                self.log_refusal(partition, &error);
                None
            }
        }
    }

    fn pause(&self, partition: &Partition) {
        let paused: KafkaResult<()> = self.consumer.pause(&list(partition));
        if let Err(error) = paused {
            self.log_refusal(partition, &error);
        }
    }

    fn log_refusal(&self, partition: &Partition, error: &KafkaError) {
        tracing::debug!(topic = %partition.topic, partition = partition.number, "Kafka: cannot be \
            paused or resumed: {error}");
    }
}

fn list(partition: &Partition) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(&partition.topic, partition.number);
    list
}
