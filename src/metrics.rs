//! Every metric of the program. A field's doc comment is its help text; label values are closed
//! sets, all present from the start.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::event::{RejectReason, SkipReason};
use crate::logging;
use crate::pipeline::{DeadReason, Source};
use crate::redis::Class;

/// Redis error codes that are told apart; everything else is `OTHER`, a broken connection is
/// `NONE`.
pub const REDIS_CODES: &[&str] = &[
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "ERR",
    "EXECABORT",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NONE",
    "NOPERM",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "OTHER",
    "READONLY",
    "TRYAGAIN",
    "UNBLOCKED",
    "WRONGPASS",
    "WRONGTYPE",
];

/// Paths of `traitsink_http_requests_total`; anything else is `other`.
pub const HTTP_PATHS: &[&str] = &[
    "/v1/identify",
    "/v1/track",
    "/v1/page",
    "/v1/screen",
    "/v1/group",
    "/v1/alias",
    "/v1/batch",
    "other",
];

/// Statuses of `traitsink_http_requests_total`.
pub const HTTP_STATUSES: &[&str] =
    &["200", "400", "401", "403", "404", "405", "408", "413", "415", "429", "500", "503"];

/// Clients of `traitsink_tls_verify_disabled`.
pub const TLS_CLIENTS: &[&str] = &["redis", "kafka"];

/// What happened to the events of one source.
pub struct SourceMetrics {
    pub received: IntCounter,
    pub written: IntCounter,
    pub failed: IntCounter,
    pub in_flight: IntGauge,
    pub delivery_seconds: Histogram,
    pub freshness_seconds: Histogram,
    skipped: Vec<IntCounter>,
    rejected: Vec<IntCounter>,
    dead_lettered: Vec<IntCounter>,
}

impl SourceMetrics {
    pub fn skipped(&self, reason: SkipReason) -> &IntCounter {
        &self.skipped[reason as usize]
    }

    pub fn rejected(&self, reason: RejectReason) -> &IntCounter {
        &self.rejected[reason as usize]
    }

    pub fn dead_lettered(&self, reason: DeadReason) -> &IntCounter {
        &self.dead_lettered[reason.index()]
    }
}

/// The Kafka consumer. Registered in every build, so that dashboards and alerts need not know which
/// one runs.
pub struct KafkaMetrics {
    pub rebalances: IntCounter,
    pub commits: IntCounter,
    pub pauses: IntCounter,
    pub replays: IntCounter,
    pub handed_over: IntCounter,
    pub topics_recreated: IntCounter,
    pub partitions_assigned: IntGauge,
    pub partitions_paused: IntGauge,
    consumer_lag: IntGaugeVec,
}

impl KafkaMetrics {
    /// Messages of a partition that are not committed yet. The series is there until
    /// [`KafkaMetrics::remove_lag`].
    pub fn set_lag(&self, topic: &str, partition: i32, messages: i64) {
        self.consumer_lag
            .with_label_values(&[topic, itoa::Buffer::new().format(partition)])
            .set(messages);
    }

    /// Ends the partition's series: another worker reports its lag now.
    pub fn remove_lag(&self, topic: &str, partition: i32) {
        // An error says that the partition never had a series.
        let _ =
            self.consumer_lag.remove_label_values(&[topic, itoa::Buffer::new().format(partition)]);
    }
}

/// All metrics, and the registry that renders them.
pub struct Metrics {
    registry: Registry,
    sources: Vec<SourceMetrics>,
    pub kafka: KafkaMetrics,
    pub in_flight_bytes: IntGauge,
    pub updates_merged: IntCounter,
    pub events_set_aside: IntGauge,
    pub batch_updates: Histogram,
    pub redis_write_seconds: Histogram,
    redis_up: IntGaugeVec,
    redis_errors: IntCounterVec,
    redis_reconnects: IntCounterVec,
    pub redis_local_restarts: IntCounter,
    http_requests: IntCounterVec,
    tls_verify_disabled: IntGaugeVec,
    pub ready: IntGauge,
}

impl Metrics {
    /// Registers everything. `node` labels come from the configuration: `redis` names the nodes
    /// known at the start.
    pub fn new() -> Self {
        let registry = Registry::new();
        let r = Register(&registry);
        let per_source = |name: &str, help: &str| r.counters(name, help, &["source"]);
        let received = per_source("traitsink_events_received_total", "Events taken from a source.");
        let written = per_source("traitsink_events_written_total", "Events that Redis confirmed.");
        let failed = per_source(
            "traitsink_events_failed_total",
            "Events given back to their source unwritten (a deadline passed, or the process \
             stopped).",
        );
        let reasoned = |name: &str, help: &str| r.counters(name, help, &["source", "reason"]);
        let skipped = reasoned(
            "traitsink_events_skipped_total",
            "Events that ask for nothing to be written.",
        );
        let rejected = reasoned(
            "traitsink_events_rejected_total",
            "Events that cannot be read or exceed a limit.",
        );
        let dead_lettered =
            reasoned("traitsink_events_dead_lettered_total", "Events put into the dead letters.");
        let in_flight = r.gauges(
            "traitsink_events_in_flight",
            "Events taken and not yet settled.",
            &["source"],
        );
        let delivery =
            r.histograms("traitsink_delivery_seconds", "From received to confirmed.", LATENCY);
        let freshness = r.histograms(
            "traitsink_freshness_seconds",
            "From the event's own time to confirmed; a time in the future counts as 0, one more \
             than 2 days ago as 2 days.",
            FRESHNESS,
        );
        let sources = Source::ALL
            .iter()
            .map(|source| {
                let name = source.as_str();
                let child = |family: &IntCounterVec, reason: &str| {
                    family.with_label_values(&[name, reason])
                };
                SourceMetrics {
                    received: received.with_label_values(&[name]),
                    written: written.with_label_values(&[name]),
                    failed: failed.with_label_values(&[name]),
                    in_flight: in_flight.with_label_values(&[name]),
                    delivery_seconds: delivery.with_label_values(&[name]),
                    freshness_seconds: freshness.with_label_values(&[name]),
                    skipped: SkipReason::ALL.iter().map(|r| child(&skipped, r.as_str())).collect(),
                    rejected: RejectReason::ALL
                        .iter()
                        .map(|r| child(&rejected, r.as_str()))
                        .collect(),
                    dead_lettered: DeadReason::all()
                        .map(|r| child(&dead_lettered, r.as_str()))
                        .collect(),
                }
            })
            .collect();
        let redis_errors = r.counters(
            "traitsink_redis_errors_total",
            "Error replies and broken connections.",
            &["class", "code"],
        );
        for class in Class::ALL {
            for code in REDIS_CODES {
                redis_errors.with_label_values(&[class.as_str(), code]);
            }
        }
        let http_requests = r.counters(
            "traitsink_http_requests_total",
            "HTTP requests answered.",
            &["path", "status"],
        );
        for path in HTTP_PATHS {
            for status in HTTP_STATUSES {
                http_requests.with_label_values(&[path, status]);
            }
        }
        let tls_verify_disabled = r.gauges(
            "traitsink_tls_verify_disabled",
            "1 when certificates are not verified.",
            &["client"],
        );
        for client in TLS_CLIENTS {
            tls_verify_disabled.with_label_values(&[client]);
        }
        r.build_info();
        registry.register(Box::new(DroppedLines(dropped_lines(0)))).expect("registered once");
        #[cfg(target_os = "linux")]
        registry
            .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("registered once");
        Self {
            sources,
            kafka: r.kafka(),
            in_flight_bytes: r.gauge(
                "traitsink_in_flight_bytes",
                "Bytes held: bodies being read, \
                messages, packed updates.",
            ),
            events_set_aside: r.gauge(
                "traitsink_events_set_aside",
                "Events in flight whose key waits: Redis refuses its writes for a reason that is \
                 not known, and takes others.",
            ),
            updates_merged: r.counter(
                "traitsink_updates_merged_total",
                "Updates merged into an earlier one of \
                    the same key and batch.",
            ),
            batch_updates: r.histogram(
                "traitsink_batch_updates",
                "Updates in one \
                pipeline.",
                BATCH,
            ),
            redis_write_seconds: r.histogram(
                "traitsink_redis_write_seconds",
                "From a pipeline's first byte to its last reply.",
                LATENCY,
            ),
            redis_up: r.gauges(
                "traitsink_redis_up",
                "1 while this node \
                answers.",
                &["node", "role"],
            ),
            redis_errors,
            redis_local_restarts: r.counter(
                "traitsink_redis_local_restarts_total",
                "Times that the local Redis ended by itself and was started again.",
            ),
            redis_reconnects: r.counters(
                "traitsink_redis_reconnects_total",
                "Connections made again after one was lost.",
                &["node"],
            ),
            http_requests,
            tls_verify_disabled,
            ready: r.gauge("traitsink_ready", "1 when every sink and source is usable."),
            registry,
        }
    }

    pub fn source(&self, source: Source) -> &SourceMetrics {
        &self.sources[source as usize]
    }

    /// `node` is `host:port` (or a socket's path) from the configuration, never from data.
    pub fn redis_up(&self, node: &str, role: &str) -> IntGauge {
        self.redis_up.with_label_values(&[node, role])
    }

    /// This node has the role no more.
    pub fn forget_redis(&self, node: &str, role: &str) {
        let _was_forgotten_before = self.redis_up.remove_label_values(&[node, role]);
    }

    pub fn redis_reconnects(&self, node: &str) -> IntCounter {
        self.redis_reconnects.with_label_values(&[node])
    }

    /// `code` is Redis's own first word, or `NONE` for a broken connection.
    pub fn redis_error(&self, class: Class, code: &str) -> IntCounter {
        let code = if REDIS_CODES.contains(&code) { code } else { "OTHER" };
        self.redis_errors.with_label_values(&[class.as_str(), code])
    }

    pub fn http_request(&self, path: &str, status: u16) -> IntCounter {
        let path = if HTTP_PATHS.contains(&path) { path } else { "other" };
        self.http_requests.with_label_values(&[path, itoa::Buffer::new().format(status)])
    }

    /// `client` is one of [`TLS_CLIENTS`].
    pub fn tls_verify_disabled(&self, client: &str) -> IntGauge {
        self.tls_verify_disabled.with_label_values(&[client])
    }

    /// The Prometheus text format.
    pub fn render(&self) -> String {
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

const LATENCY: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const FRESHNESS: &[f64] =
    &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0];
const BATCH: &[f64] =
    &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0];

/// Constructors that register what they make; names are constants of this file, so an error is a
/// bug found by any test.
struct Register<'a>(&'a Registry);

impl Register<'_> {
    fn add<C: Collector + Clone + 'static>(&self, collector: prometheus::Result<C>) -> C {
        let collector = collector.expect("a metric of this file has a valid name and help");
        self.0
            .register(Box::new(collector.clone()))
            .expect("a metric of this file is registered once");
        collector
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.add(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }

    fn histograms(&self, name: &str, help: &str, buckets: &[f64]) -> prometheus::HistogramVec {
        self.add(prometheus::HistogramVec::new(
            HistogramOpts::new(name, help).buckets(buckets.to_vec()),
            &["source"],
        ))
    }

    fn kafka(&self) -> KafkaMetrics {
        KafkaMetrics {
            rebalances: self.counter(
                "traitsink_kafka_rebalances_total",
                "Times the assigned \
                partitions changed.",
            ),
            commits: self.counter(
                "traitsink_kafka_commits_total",
                "Offset commits that the broker \
                confirmed.",
            ),
            pauses: self.counter(
                "traitsink_kafka_pauses_total",
                "Times a partition was paused for \
                want of room.",
            ),
            replays: self.counter(
                "traitsink_kafka_replays_total",
                "Times a partition was read again because Redis may have lost what it had \
                 confirmed.",
            ),
            topics_recreated: self.counter(
                "traitsink_kafka_topics_recreated_total",
                "Times a topic was found deleted and created again, and read from its beginning.",
            ),
            handed_over: self.counter(
                "traitsink_kafka_events_handed_over_total",
                "Events counted as failed that another worker delivers: their partition went to \
                 it.",
            ),
            partitions_assigned: self.gauge(
                "traitsink_kafka_partitions_assigned",
                "Partitions \
                this worker reads.",
            ),
            partitions_paused: self.gauge(
                "traitsink_kafka_partitions_paused",
                "Partitions that \
                wait for room.",
            ),
            consumer_lag: self.gauges(
                "traitsink_kafka_consumer_lag",
                "Messages of a partition that are not committed yet.",
                &["topic", "partition"],
            ),
        }
    }

    fn build_info(&self) {
        let opts = Opts::new("traitsink_build_info", "What was built, always 1.")
            .const_label("version", env!("CARGO_PKG_VERSION"))
            .const_label("revision", option_env!("TRAITSINK_REVISION").unwrap_or("unknown"))
            .const_label("rustc", env!("TRAITSINK_RUSTC"));
        self.add(Gauge::with_opts(opts)).set(1.0);
    }
}

/// Reads the count of logging, which is that of the process and older than any registry.
struct DroppedLines(IntCounter);

impl Collector for DroppedLines {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        dropped_lines(logging::dropped_lines()).collect()
    }
}

fn dropped_lines(count: u64) -> IntCounter {
    let help = "Log lines dropped because nobody read standard error.";
    let counter =
        IntCounter::new("traitsink_log_lines_dropped_total", help).expect("a valid name and help");
    counter.inc_by(count);
    counter
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
        metrics.kafka.remove_lag("events", 2);
        metrics.kafka.remove_lag("events", 3);
        assert!(!metrics.render().contains(series));
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
            "traitsink_tls_verify_disabled{client=\"kafka\"}",
            "traitsink_tls_verify_disabled{client=\"redis\"}",
            "traitsink_events_skipped_total{reason=\"empty\",source=\"kafka\"}",
        ] {
            assert!(text.contains(&format!("{series} 0\n")), "{series}");
        }
    }
}
