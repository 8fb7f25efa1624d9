//! The metrics of each source: how its events ended, and how long that took.

use prometheus::core::Collector;
use prometheus::proto::Bucket;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use crate::event::{RejectReason, SkipReason};
use crate::outcome::{DeadReason, Source};

use super::register::{LATENCY, Register};

/// The buckets of the freshness, in seconds: events of a replay may be days old.
const FRESHNESS: &[f64] =
    &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0];

/// The metrics of one source.
pub struct SourceMetrics {
    /// Events taken from the source.
    pub received: IntCounter,
    /// Events that Redis confirmed.
    pub written: IntCounter,
    /// Events that Redis confirmed, and that changed nothing: newer ones came before.
    pub stale: IntCounter,
    /// Events given back unwritten.
    pub failed: IntCounter,
    /// [`SourceMetrics::in_flight`] as it was when metrics were last rendered.
    in_flight: IntGauge,
    /// Seconds from received to confirmed.
    pub delivery_seconds: Histogram,
    /// Seconds from the event's own time to confirmed.
    pub freshness_seconds: Histogram,
    skipped: Vec<IntCounter>,
    rejected: Vec<IntCounter>,
    dead_lettered: Vec<IntCounter>,
}

impl SourceMetrics {
    /// Registers the series of every source; the position of each is that of its [`Source`].
    pub(super) fn all(register: &Register) -> Vec<Self> {
        let per_source = |name: &str, help: &str| register.counters(name, help, &["source"]);
        let received = per_source("traitsink_events_received_total", "Events taken from a source.");
        let written = per_source("traitsink_events_written_total", "Events that Redis confirmed.");
        let stale = per_source(
            "traitsink_events_stale_total",
            "Events that changed nothing, because all that they say is newer in Redis already \
             (profile.newest_wins).",
        );
        let failed = per_source(
            "traitsink_events_failed_total",
            "Events given back to their source unwritten (a deadline passed, or the process \
             stopped).",
        );
        let reasoned =
            |name: &str, help: &str| register.counters(name, help, &["source", "reason"]);
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
        let in_flight = register.gauges(
            "traitsink_events_in_flight",
            "Events taken and not yet settled.",
            &["source"],
        );
        let delivery = register.histograms(
            "traitsink_delivery_seconds",
            "From received to confirmed.",
            LATENCY,
        );
        let freshness = register.histograms(
            "traitsink_freshness_seconds",
            "From the event's own time to confirmed; a time in the future counts as 0, one more \
             than 2 days ago as 2 days.",
            FRESHNESS,
        );
        Source::ALL
            .iter()
            .map(|source| {
                let name = source.as_str();
                let child = |family: &IntCounterVec, reason: &str| {
                    family.with_label_values(&[name, reason])
                };
                SourceMetrics {
                    received: received.with_label_values(&[name]),
                    written: written.with_label_values(&[name]),
                    stale: stale.with_label_values(&[name]),
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
            .collect()
    }

    /// Events taken and not yet settled: those received less all that have ended. Each event would
    /// else be counted twice more, in one place that all threads share.
    pub fn in_flight(&self) -> u64 {
        // What has ended is read first: it must not exceed what was received.
        let one = [&self.written, &self.stale, &self.failed];
        let reasoned = [&self.skipped, &self.rejected, &self.dead_lettered].into_iter().flatten();
        let ended: u64 = one.into_iter().chain(reasoned).map(IntCounter::get).sum();
        self.received.get().saturating_sub(ended)
    }

    /// Sets the gauge of [`SourceMetrics::in_flight`].
    pub(super) fn set_in_flight(&self) {
        self.in_flight.set(i64::try_from(self.in_flight()).unwrap_or(i64::MAX));
    }

    /// The buckets of the freshness: the upper bound of each, in seconds, and the events up to it.
    /// The last bound is infinite.
    pub fn freshness_buckets(&self) -> Vec<(f64, u64)> {
        let families = self.freshness_seconds.collect();
        let histogram = families[0].get_metric()[0].get_histogram();
        let bucket = |bucket: &Bucket| (bucket.upper_bound(), bucket.cumulative_count());
        let all = (f64::INFINITY, histogram.get_sample_count());
        histogram.get_bucket().iter().map(bucket).chain([all]).collect()
    }

    /// Events that ask for nothing to be written.
    pub fn skipped(&self, reason: SkipReason) -> &IntCounter {
        &self.skipped[reason as usize]
    }

    /// Events that cannot be read or exceed a limit.
    pub fn rejected(&self, reason: RejectReason) -> &IntCounter {
        &self.rejected[reason as usize]
    }

    /// Events put into the dead letters.
    pub fn dead_lettered(&self, reason: DeadReason) -> &IntCounter {
        &self.dead_lettered[reason.index()]
    }
}
