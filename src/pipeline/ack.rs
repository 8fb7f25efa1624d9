//! The handle that ties one event to its outcome.

use std::sync::Arc;
use std::time::Instant;

use crate::metrics::Metrics;

use crate::outcome::{Outcome, Source};

/// The age in seconds as which an older event counts in the freshness metric: two days, just beyond
/// its largest bucket.
const OLDEST: f64 = 2.0 * 86_400.0;

/// A source's side of delivery, which learns how each of its events ended.
pub trait Receipts: Send + Sync {
    /// Called exactly once for each [`Ack`], with its `position`.
    fn settle(&self, position: u64, outcome: Outcome);

    /// Where the outcomes of its events are counted, unless their acks know that themselves.
    fn metrics(&self) -> Option<&Metrics> {
        None
    }

    /// True when the source took back events that are not sent yet; such an event is settled
    /// [`Outcome::Failed`] without a write.
    fn cancelled(&self) -> bool {
        false
    }

    /// True when the source no longer owns its events and another process may write newer ones:
    /// none of them may be sent any more, not even again.
    fn revoked(&self) -> bool {
        false
    }
}

/// One event's right to exactly one outcome: given by [`Ack::settle`], or [`Outcome::Failed`] when
/// the ack is dropped without.
pub struct Ack {
    receipts: Arc<dyn Receipts>,
    /// `None`: the receipts know them.
    metrics: Option<Arc<Metrics>>,
    position: u64,
    received: Instant,
    event_time: Option<i64>,
    /// `None`: an operator's command, which the ledger of events does not count.
    source: Option<Source>,
    /// The ledger counts it. Parts of an event are not: the event itself is.
    counted: bool,
    settled: bool,
}

impl Ack {
    /// Counts one event as received.
    pub fn new(
        source: Source,
        receipts: Arc<dyn Receipts>,
        position: u64,
        metrics: Arc<Metrics>,
        received: Instant,
    ) -> Self {
        metrics.source(source).received.inc();
        let mut ack = Self::of_counted(source, receipts, position, received);
        ack.metrics = Some(metrics);
        ack
    }

    /// For an event that the caller counts as received, and whose receipts know the metrics
    /// ([`Receipts::metrics`]).
    pub fn of_counted(
        source: Source,
        receipts: Arc<dyn Receipts>,
        position: u64,
        received: Instant,
    ) -> Self {
        Self {
            receipts,
            metrics: None,
            position,
            received,
            event_time: None,
            source: Some(source),
            counted: true,
            settled: false,
        }
    }

    /// For one key of an event that has several: `receipts` settle the event when all have ended.
    /// The ledger does not count it. `source` is that of the event's own key.
    pub(super) fn of_part(
        receipts: Arc<dyn Receipts>,
        position: u64,
        source: Option<Source>,
    ) -> Self {
        Self {
            receipts,
            metrics: None,
            position,
            received: Instant::now(),
            event_time: None,
            source,
            counted: false,
            settled: false,
        }
    }

    /// For an operator's command, which is no event: it is not counted.
    pub fn of_command(receipts: Arc<dyn Receipts>, position: u64, metrics: Arc<Metrics>) -> Self {
        let mut ack = Self::of_part(receipts, position, None);
        ack.metrics = Some(metrics);
        ack
    }

    /// Where outcomes are counted, unless the receipts know that.
    pub(super) fn metrics(&self) -> Option<&Arc<Metrics>> {
        self.metrics.as_ref()
    }

    /// The source's side.
    pub(super) fn receipts(&self) -> &Arc<dyn Receipts> {
        &self.receipts
    }

    /// The source of the event; `None`: it is an operator's command.
    pub fn source(&self) -> Option<Source> {
        self.source
    }

    /// The source in whose ledger the event stands; `None`: in none.
    pub(super) fn counted_as(&self) -> Option<Source> {
        self.source.filter(|_| self.counted)
    }

    /// `event_time` is in milliseconds since the epoch, for the freshness metric.
    pub fn set_event_time(&mut self, event_time: Option<i64>) {
        self.event_time = event_time;
    }

    /// [`Receipts::cancelled`] of its source.
    pub fn cancelled(&self) -> bool {
        self.receipts.cancelled()
    }

    /// [`Receipts::revoked`] of its source.
    pub fn revoked(&self) -> bool {
        self.receipts.revoked()
    }

    /// Counts the outcome and reports it to the source.
    pub fn settle(mut self, outcome: Outcome) {
        self.finish(outcome, None);
    }

    /// [`Ack::settle`] for an event whose Redis `key` is known.
    pub fn settle_with_key(mut self, outcome: Outcome, key: &[u8]) {
        self.finish(outcome, Some(key));
    }

    /// Reports the outcome to the source, once it is counted.
    pub(super) fn report(&mut self, outcome: Outcome) {
        self.settled = true;
        self.receipts.settle(self.position, outcome);
    }

    /// When the event was received.
    pub(super) fn received(&self) -> Instant {
        self.received
    }

    /// Milliseconds since the epoch.
    pub(super) fn event_time(&self) -> Option<i64> {
        self.event_time
    }

    /// Whether both have the same receipts.
    pub(super) fn shares_receipts(&self, other: &Self) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.receipts), Arc::as_ptr(&other.receipts))
    }

    fn finish(&mut self, outcome: Outcome, key: Option<&[u8]>) {
        if let Some(source) = self.counted_as() {
            self.count(source, outcome, key);
        }
        self.report(outcome);
    }

    fn count(&self, source: Source, outcome: Outcome, key: Option<&[u8]>) {
        let Some(metrics) = self.metrics.as_deref().or_else(|| self.receipts.metrics()) else {
            return;
        };
        let counts = metrics.source(source);
        match outcome {
            Outcome::Written => {
                counts.written.inc();
                counts.delivery_seconds.observe(self.received.elapsed().as_secs_f64());
                if let Some(at) = self.event_time {
                    counts
                        .freshness_seconds
                        .observe(freshness(at, jiff::Timestamp::now().as_millisecond()));
                }
            }
            Outcome::Stale => counts.stale.inc(),
            Outcome::Skipped(reason) => counts.skipped(reason).inc(),
            Outcome::Rejected(reason) => {
                counts.rejected(reason).inc();
                metrics.rejections.rejected(source, reason);
            }
            Outcome::DeadLettered(reason) => {
                counts.dead_lettered(reason).inc();
                metrics.rejections.dead_lettered(source, reason, key);
            }
            Outcome::Failed => counts.failed.inc(),
        }
    }
}

/// Seconds from an event's own time to `now`, both in milliseconds since the epoch. Producers'
/// clocks are wrong, and some send the year 1 or 9999: one such event must not drown all others in
/// the sum.
pub(super) fn freshness(at: i64, now: i64) -> f64 {
    (now.saturating_sub(at) as f64 / 1e3).clamp(0.0, OLDEST)
}

impl Drop for Ack {
    fn drop(&mut self) {
        if !self.settled {
            self.finish(Outcome::Failed, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn no_event_time_makes_the_sum_useless() {
        let now = 1_700_000_000_000;
        for (at, seconds) in [
            (now - 1500, 1.5),
            (now, 0.0),
            (now + 1, 0.0),
            (now - 172_800_000, OLDEST),
            (now - 172_801_000, OLDEST),
        ] {
            assert_eq!(freshness(at, now), seconds, "{at}");
        }
        let millis = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        assert_eq!(freshness(millis("0001-01-01T00:00:00Z"), now), OLDEST);
        assert_eq!(freshness(millis("9999-12-30T00:00:00Z"), now), 0.0);
        assert_eq!((freshness(i64::MIN, now), freshness(i64::MAX, now)), (OLDEST, 0.0));
    }

    #[derive(Default)]
    struct Recorded(Mutex<Vec<(u64, Outcome)>>);

    impl Receipts for Recorded {
        fn settle(&self, position: u64, outcome: Outcome) {
            self.0.lock().unwrap().push((position, outcome));
        }
    }

    #[test]
    fn each_event_has_one_outcome_and_without_one_it_failed() {
        let (recorded, metrics) = (Arc::new(Recorded::default()), Arc::new(Metrics::new()));
        let ack = |position| {
            Ack::new(
                Source::Http,
                Arc::clone(&recorded) as _,
                position,
                Arc::clone(&metrics),
                Instant::now(),
            )
        };
        let (settled, dropped) = (ack(1), ack(2));
        let counts = metrics.source(Source::Http);
        assert_eq!((counts.received.get(), counts.in_flight()), (2, 2));
        settled.settle(Outcome::Written);
        drop(dropped);
        assert_eq!(*recorded.0.lock().unwrap(), [(1, Outcome::Written), (2, Outcome::Failed)]);
        assert_eq!((counts.written.get(), counts.failed.get(), counts.in_flight()), (1, 1, 0));
    }
}
