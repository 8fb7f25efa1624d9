//! Counts the events of a batch that Redis confirmed: the clocks are read once, and each metric is
//! added to once.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use prometheus::local::LocalHistogram;

use crate::metrics::Metrics;
use crate::outcome::{Outcome, Source};

use super::ack::{Ack, freshness};

/// What is not yet added to the metrics.
pub(super) struct ConfirmedCounts {
    metrics: Arc<Metrics>,
    sources: Vec<SourceCounts>,
    now: Instant,
    /// Milliseconds since the epoch.
    time: i64,
}

/// The events of one source.
struct SourceCounts {
    source: Source,
    written: u64,
    stale: u64,
    delivery_seconds: LocalHistogram,
    freshness_seconds: LocalHistogram,
}

impl ConfirmedCounts {
    pub(super) fn new(metrics: &Arc<Metrics>) -> Self {
        let counts = |&source: &Source| {
            let own = metrics.source(source);
            SourceCounts {
                source,
                written: 0,
                stale: 0,
                delivery_seconds: own.delivery_seconds.local(),
                freshness_seconds: own.freshness_seconds.local(),
            }
        };
        Self {
            metrics: Arc::clone(metrics),
            sources: Source::ALL.iter().map(counts).collect(),
            now: Instant::now(),
            time: 0,
        }
    }

    /// The events that are added from now on are confirmed now.
    pub(super) fn begin(&mut self) {
        self.now = Instant::now();
        self.time = Timestamp::now().as_millisecond();
    }

    /// Adds the event of `ack`, whose outcome is `Written` or `Stale`. Its source hears of it
    /// later, by [`Ack::report`]: whoever asks for the metrics then must find it in them.
    pub(super) fn add(&mut self, ack: &Ack, outcome: Outcome) {
        let Some(source) = ack.counted_as() else { return };
        let counts = &mut self.sources[source as usize];
        if outcome == Outcome::Stale {
            counts.stale += 1;
            return;
        }
        counts.written += 1;
        let seconds = self.now.saturating_duration_since(ack.received()).as_secs_f64();
        counts.delivery_seconds.observe(seconds);
        if let Some(at) = ack.event_time() {
            counts.freshness_seconds.observe(freshness(at, self.time));
        }
    }

    /// Adds all to the metrics.
    pub(super) fn flush(&mut self) {
        for counts in &mut self.sources {
            let (written, stale) =
                (std::mem::take(&mut counts.written), std::mem::take(&mut counts.stale));
            if written + stale == 0 {
                continue;
            }
            let metrics = self.metrics.source(counts.source);
            metrics.written.inc_by(written);
            metrics.stale.inc_by(stale);
            counts.delivery_seconds.flush();
            counts.freshness_seconds.flush();
        }
    }
}
