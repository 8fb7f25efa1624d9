//! Every metric of the program. Label values are closed sets where they can be, and their series
//! are all present from the start.

mod kafka;
mod labels;
mod process;
mod redis_nodes;
mod register;
mod rejections;
mod reload;
mod source;

use jiff::Timestamp;
use prometheus::core::Collector as _;
use prometheus::{
    Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use crate::outcome::{DeletedBy, Source};

pub use kafka::KafkaMetrics;
pub use labels::{HTTP_PATHS, HTTP_STATUSES, TLS_CLIENTS};
use labels::{REDIS_CLASSES, REDIS_CODES};
pub use process::REVISION;
use redis_nodes::RedisNodes;
pub use redis_nodes::{NodeError, RedisNode};
use register::{LATENCY, Register};
pub use rejections::{Rejection, Rejections};
pub use reload::ReloadMetrics;
pub use source::SourceMetrics;

/// The buckets of `traitsink_batch_updates`, in updates.
const BATCH: &[f64] =
    &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0];

/// All metrics, and the registry that renders them.
pub struct Metrics {
    registry: Registry,
    sources: Vec<SourceMetrics>,
    /// The Kafka consumer.
    pub kafka: KafkaMetrics,
    /// Bytes held by the budget.
    pub in_flight_bytes: IntGauge,
    /// The most that the budget may hold, in bytes.
    pub max_in_flight_bytes: IntGauge,
    /// Updates merged into an earlier one of the same key and batch.
    pub updates_merged: IntCounter,
    /// Events whose keys are set aside.
    pub events_set_aside: IntGauge,
    profiles_deleted: IntCounterVec,
    /// Updates in each batch.
    pub batch_updates: Histogram,
    /// Seconds from a batch's first byte to its last reply.
    pub redis_write_seconds: Histogram,
    redis_nodes: RedisNodes,
    redis_errors: IntCounterVec,
    /// Restarts of the local Redis.
    pub redis_local_restarts: IntCounter,
    http_requests: IntCounterVec,
    tls_verify_disabled: IntGaugeVec,
    certificate_expiry: IntGaugeVec,
    /// Reloads of the configuration.
    pub reload: ReloadMetrics,
    /// 1 when `/ready` answers 200.
    pub ready: IntGauge,
    /// The last events that were rejected or dead-lettered.
    pub rejections: Rejections,
}

impl Metrics {
    /// Registers everything. Series with a `node` label appear as nodes become known.
    pub fn new() -> Self {
        let register = Register::default();
        process::register(&register);
        Self {
            sources: SourceMetrics::all(&register),
            kafka: KafkaMetrics::new(&register),
            in_flight_bytes: register.gauge(
                "traitsink_in_flight_bytes",
                "Bytes held: bodies being read, messages, packed updates.",
            ),
            max_in_flight_bytes: register.gauge(
                "traitsink_max_in_flight_bytes",
                "The most that `traitsink_in_flight_bytes` may reach: `delivery.max_in_flight`.",
            ),
            events_set_aside: register.gauge(
                "traitsink_events_set_aside",
                "Events in flight whose key waits: Redis refuses its writes for a reason that is \
                 not known, and takes others.",
            ),
            updates_merged: register.counter(
                "traitsink_updates_merged_total",
                "Updates merged into an earlier one of the same key and batch.",
            ),
            profiles_deleted: profiles_deleted(&register),
            batch_updates: register.histogram(
                "traitsink_batch_updates",
                "Updates in one batch.",
                BATCH,
            ),
            redis_write_seconds: register.histogram(
                "traitsink_redis_write_seconds",
                "From a batch's first byte to its last reply.",
                LATENCY,
            ),
            redis_nodes: RedisNodes::new(&register),
            redis_errors: redis_errors(&register),
            redis_local_restarts: register.counter(
                "traitsink_redis_local_restarts_total",
                "Times that the local Redis ended by itself and was started again.",
            ),
            http_requests: http_requests(&register),
            tls_verify_disabled: tls_verify_disabled(&register),
            certificate_expiry: register.gauges(
                "traitsink_certificate_expiry_timestamp_seconds",
                "When the first certificate ends, in seconds since 1970: the worker's own, those \
                 in its CA file, and those that the servers sent last. Absent without TLS.",
                &["client"],
            ),
            reload: ReloadMetrics::new(&register),
            ready: register.gauge("traitsink_ready", "1 when `/ready` answers 200."),
            rejections: Rejections::default(),
            registry: register.finish(),
        }
    }

    /// The events of one source.
    pub fn source(&self, source: Source) -> &SourceMetrics {
        &self.sources[source as usize]
    }

    /// Deletions of users, whether or not there was a key.
    pub fn profiles_deleted(&self, by: DeletedBy) -> IntCounter {
        self.profiles_deleted.with_label_values(&[by.as_str()])
    }

    /// `node` is `host:port` (or a socket's path) from the configuration, never from data.
    pub fn redis_up(&self, node: &str, role: &str) -> IntGauge {
        self.redis_nodes.up(node, role)
    }

    /// This node has the role no more.
    pub fn forget_redis(&self, node: &str, role: &str) {
        self.redis_nodes.forget(node, role);
    }

    /// Connections to `node` made again after one was lost.
    pub fn redis_reconnects(&self, node: &str) -> IntCounter {
        self.redis_nodes.reconnects(node)
    }

    /// `class` is the word of a `redis::Class`; `code` is Redis's own first word, or `NONE` for a
    /// broken connection.
    pub fn redis_error(&self, class: &'static str, code: &str) -> IntCounter {
        self.redis_errors.with_label_values(&[class, Self::redis_code(code)])
    }

    /// Redis's own first word as one of few: `OTHER` when it is none of them.
    pub fn redis_code(code: &str) -> &'static str {
        REDIS_CODES.iter().find(|known| **known == code).copied().unwrap_or("OTHER")
    }

    /// Keeps the error as the last one of `node`, for [`Metrics::redis_nodes`]. `message` is shown
    /// to operators, so it holds neither secrets nor personal data.
    pub fn note_redis_error(&self, node: &str, class: &'static str, code: &str, message: &str) {
        let (code, message) = (code.to_owned(), message.to_owned());
        self.redis_nodes.note(node, NodeError { at: Timestamp::now(), class, code, message });
    }

    /// The nodes that are known now, by role and name.
    pub fn redis_nodes(&self) -> Vec<RedisNode> {
        self.redis_nodes.all()
    }

    /// Answers on `path` with `status`.
    pub fn http_request(&self, path: &str, status: u16) -> IntCounter {
        let path = if HTTP_PATHS.contains(&path) { path } else { "other" };
        self.http_requests.with_label_values(&[path, itoa::Buffer::new().format(status)])
    }

    /// `client` is one of [`TLS_CLIENTS`].
    pub fn tls_verify_disabled(&self, client: &str) -> IntGauge {
        self.tls_verify_disabled.with_label_values(&[client])
    }

    /// When the first certificate of `client`, one of [`TLS_CLIENTS`], ends, in seconds since 1970;
    /// `None`: there is no TLS, or no end is known.
    pub fn set_certificate_end(&self, client: &str, ends: Option<i64>) {
        match ends {
            Some(ends) => self.certificate_expiry.with_label_values(&[client]).set(ends),
            // An error says that there was no series.
            None => _ = self.certificate_expiry.remove_label_values(&[client]),
        }
    }

    /// The clients whose first certificate has a known end, and that end in seconds since 1970.
    pub fn certificate_ends(&self) -> Vec<(String, i64)> {
        let families = self.certificate_expiry.collect();
        let series = families.iter().flat_map(|family| family.get_metric());
        series
            .filter_map(|one| {
                let client = one.get_label().first()?.value().to_owned();
                // Whole seconds, far below 2^53.
                Some((client, one.get_gauge().get_value() as i64))
            })
            .collect()
    }

    /// The Prometheus text format.
    pub fn render(&self) -> String {
        self.sources.iter().for_each(SourceMetrics::set_in_flight);
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("metric families are consistent")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn profiles_deleted(register: &Register) -> IntCounterVec {
    let deleted = register.counters(
        "traitsink_profiles_deleted_total",
        "Deletions of users, whether or not there was a key to delete.",
        &["by"],
    );
    for by in DeletedBy::ALL {
        deleted.with_label_values(&[by.as_str()]);
    }
    deleted
}

fn redis_errors(register: &Register) -> IntCounterVec {
    let errors = register.counters(
        "traitsink_redis_errors_total",
        "Error replies and broken connections.",
        &["class", "code"],
    );
    for class in REDIS_CLASSES {
        for code in REDIS_CODES {
            errors.with_label_values(&[class, code]);
        }
    }
    errors
}

fn http_requests(register: &Register) -> IntCounterVec {
    let requests = register.counters(
        "traitsink_http_requests_total",
        "HTTP requests answered.",
        &["path", "status"],
    );
    for path in HTTP_PATHS {
        for status in HTTP_STATUSES {
            requests.with_label_values(&[path, status]);
        }
    }
    requests
}

fn tls_verify_disabled(register: &Register) -> IntGaugeVec {
    let disabled = register.gauges(
        "traitsink_tls_verify_disabled",
        "1 when certificates are not verified.",
        &["client"],
    );
    for client in TLS_CLIENTS {
        disabled.with_label_values(&[client]);
    }
    disabled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_has_a_lag_while_it_is_assigned() {
        let metrics = Metrics::new();
        let series = "traitsink_kafka_consumer_lag{partition=\"2\",topic=\"events\"}";
        metrics.kafka.set_lag("events", 2, 7);
        assert!(metrics.render().contains(&format!("{series} 7\n")));
        assert_eq!(metrics.kafka.lags(), [("events".to_owned(), 2, 7)]);
        metrics.kafka.remove_lag("events", 2);
        metrics.kafka.remove_lag("events", 3);
        assert!(!metrics.render().contains(series));
    }

    #[test]
    fn the_end_of_a_certificate_is_absent_until_it_is_known() {
        let metrics = Metrics::new();
        let name = "traitsink_certificate_expiry_timestamp_seconds";
        metrics.set_certificate_end("redis", None);
        assert!(!metrics.render().contains(name) && metrics.certificate_ends().is_empty());
        metrics.set_certificate_end("redis", Some(1_900_000_000));
        assert!(metrics.render().contains(&format!("{name}{{client=\"redis\"}} 1900000000\n")));
        assert_eq!(metrics.certificate_ends(), [("redis".to_owned(), 1_900_000_000)]);
        metrics.set_certificate_end("redis", None);
        assert!(!metrics.render().contains(name));
    }

    #[test]
    fn series_are_zero_from_the_start() {
        let text = Metrics::new().render();
        for series in [
            "traitsink_kafka_rebalances_total",
            "traitsink_kafka_commits_total",
            "traitsink_kafka_pauses_total",
            "traitsink_kafka_replays_total",
            "traitsink_kafka_topics_recreated_total",
            "traitsink_kafka_events_handed_over_total",
            "traitsink_kafka_partitions_assigned",
            "traitsink_kafka_partitions_paused",
            "traitsink_log_lines_dropped_total",
            "traitsink_profiles_deleted_total{by=\"api\"}",
            "traitsink_profiles_deleted_total{by=\"event\"}",
            "traitsink_profiles_deleted_total{by=\"tombstone\"}",
            "traitsink_tls_verify_disabled{client=\"kafka\"}",
            "traitsink_tls_verify_disabled{client=\"redis\"}",
            "traitsink_events_skipped_total{reason=\"empty\",source=\"kafka\"}",
        ] {
            assert!(text.contains(&format!("{series} 0\n")), "{series}");
        }
    }
}
