//! The metrics of the Kafka source.

use prometheus::core::Collector;
use prometheus::{IntCounter, IntGauge, IntGaugeVec};

use super::labels::label;
use super::register::Register;

/// The metrics of the Kafka source. Registered in every build, so that dashboards and alerts need
/// not know which one runs.
pub struct KafkaMetrics {
    /// Times the assigned partitions changed.
    pub rebalances: IntCounter,
    /// Offset commits that the broker confirmed.
    pub commits: IntCounter,
    /// Times a partition was paused for want of room.
    pub pauses: IntCounter,
    /// Times a partition was read again because Redis may have lost confirmed writes.
    pub replays: IntCounter,
    /// Events counted as failed that another worker delivers.
    pub handed_over: IntCounter,
    /// Times a topic was found deleted and created again.
    pub topics_recreated: IntCounter,
    /// Partitions that this worker reads.
    pub partitions_assigned: IntGauge,
    /// Partitions that wait for room.
    pub partitions_paused: IntGauge,
    consumer_lag: IntGaugeVec,
}

impl KafkaMetrics {
    pub(super) fn new(register: &Register) -> Self {
        Self {
            rebalances: register.counter(
                "traitsink_kafka_rebalances_total",
                "Times the assigned partitions changed.",
            ),
            commits: register.counter(
                "traitsink_kafka_commits_total",
                "Offset commits that the broker confirmed.",
            ),
            pauses: register.counter(
                "traitsink_kafka_pauses_total",
                "Times a partition was paused for want of room.",
            ),
            replays: register.counter(
                "traitsink_kafka_replays_total",
                "Times a partition was read again because Redis may have lost what it had \
                 confirmed.",
            ),
            topics_recreated: register.counter(
                "traitsink_kafka_topics_recreated_total",
                "Times a topic was found deleted and created again, and read from its beginning.",
            ),
            handed_over: register.counter(
                "traitsink_kafka_events_handed_over_total",
                "Events counted as failed that another worker delivers: their partition went to \
                 it.",
            ),
            partitions_assigned: register
                .gauge("traitsink_kafka_partitions_assigned", "Partitions this worker reads."),
            partitions_paused: register
                .gauge("traitsink_kafka_partitions_paused", "Partitions that wait for room."),
            consumer_lag: register.gauges(
                "traitsink_kafka_consumer_lag",
                "Messages of a partition that are not committed yet.",
                &["topic", "partition"],
            ),
        }
    }

    /// Messages of a partition that are not committed yet. The series is there until
    /// [`KafkaMetrics::remove_lag`].
    pub fn set_lag(&self, topic: &str, partition: i32, messages: i64) {
        self.consumer_lag
            .with_label_values(&[topic, itoa::Buffer::new().format(partition)])
            .set(messages);
    }

    /// Topic, partition and lag of each partition that has a series.
    pub fn lags(&self) -> Vec<(String, i32, i64)> {
        let mut lags = Vec::new();
        for series in self.consumer_lag.collect().iter().flat_map(|family| family.get_metric()) {
            if let Ok(partition) = label(series, "partition").parse() {
                let lag = series.get_gauge().get_value() as i64;
                lags.push((label(series, "topic").to_owned(), partition, lag));
            }
        }
        lags.sort();
        lags
    }

    /// Ends the partition's series: another worker reports its lag now.
    pub fn remove_lag(&self, topic: &str, partition: i32) {
        // An error says that the partition never had a series.
        let _ =
            self.consumer_lag.remove_label_values(&[topic, itoa::Buffer::new().format(partition)]);
    }
}
