//! One partition for as long as it is assigned: the receipts of its events.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::lock::lock;
use crate::metrics::Metrics;
use crate::pipeline::{Ack, Outcome, Receipts, Source};
use crate::source::log::Offsets;

use super::lease::Lease;
use super::shared_breaker::SharedBreaker;

/// One assignment epoch of one partition. Events that settle after the epoch was closed reach only
/// that epoch, so they never move a later epoch's offsets.
pub(super) struct Assignment {
    state: Mutex<AssignmentState>,
    idle: Condvar,
    /// The epoch is given up: none of its events may be written any more.
    closed: AtomicBool,
    /// Another member gets the partition next.
    handed_over: AtomicBool,
    /// An event failed, so its record must be read again.
    failed: AtomicBool,
    lease: Arc<Lease>,
    breaker: Arc<SharedBreaker>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct AssignmentState {
    offsets: Offsets,
    /// Acks that are not settled.
    in_flight: usize,
}

impl AssignmentState {
    fn deliver(&mut self, passed: Option<i64>, offset: i64, events: u32) -> u64 {
        if let Some(passed) = passed {
            self.offsets.deliver(passed, 0);
        }
        self.offsets.deliver(offset, events)
    }
}

impl Assignment {
    pub(super) fn new(
        lease: Arc<Lease>,
        breaker: Arc<SharedBreaker>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let [closed, handed_over, failed] = [(); 3].map(|()| AtomicBool::new(false));
        Arc::new(Self {
            state: Mutex::default(),
            idle: Condvar::new(),
            closed,
            handed_over,
            failed,
            lease,
            breaker,
            metrics,
        })
    }

    /// Notes a record of `events` events, and before it those up to `passed`, of which nothing was
    /// kept; returns its position.
    pub(super) fn deliver(&self, passed: Option<i64>, offset: i64, events: u32) -> u64 {
        self.lock().deliver(passed, offset, events)
    }

    /// Notes records up to `offset` of which nothing was kept.
    pub(super) fn pass(&self, offset: i64) {
        self.lock().offsets.deliver(offset, 0);
    }

    /// The same as [`Assignment::deliver`] for a record of one event, which the caller counts as
    /// received. Returns the ack of that.
    pub(super) fn deliver_one(
        self: &Arc<Self>,
        passed: Option<i64>,
        offset: i64,
        received: Instant,
    ) -> Ack {
        let mut state = self.lock();
        let position = state.deliver(passed, offset, 1);
        state.in_flight += 1;
        drop(state);
        Ack::of_counted(Source::Kafka, Arc::clone(self) as _, position, received)
    }

    /// The ack of one event of the record at `position`.
    pub(super) fn ack(self: &Arc<Self>, position: u64, received: Instant) -> Ack {
        self.lock().in_flight += 1;
        self.metrics.source(Source::Kafka).received.inc();
        Ack::of_counted(Source::Kafka, Arc::clone(self) as _, position, received)
    }

    pub(super) fn watermark(&self) -> Option<i64> {
        self.lock().offsets.watermark()
    }

    /// The first record that is not settled.
    pub(super) fn unsettled(&self) -> Option<i64> {
        self.lock().offsets.unsettled()
    }

    /// The offset at which to continue later, when more than `most` records are remembered behind
    /// one that is not settled.
    pub(super) fn exceeds(&self, most: usize) -> Option<i64> {
        let state = self.lock();
        state.offsets.next().filter(|_| state.offsets.behind() > most)
    }

    /// None of its events is written from now on; a write that is already on its way to Redis still
    /// counts when it is confirmed.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Events that fail from now on are another member's to write.
    pub(super) fn hand_over(&self) {
        self.handed_over.store(true, Ordering::Release);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lock().in_flight == 0
    }

    /// Blocks until every ack is settled, or until `deadline`; returns whether all are settled.
    pub(super) fn wait_idle(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        while state.in_flight > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return false;
            }
            state = self.idle.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, AssignmentState> {
        lock(&self.state)
    }
}

impl Receipts for Assignment {
    fn settle(&self, position: u64, outcome: Outcome) {
        let mut state = self.lock();
        state.in_flight -= 1;
        if outcome == Outcome::Failed {
            self.failed.store(true, Ordering::Release);
            self.metrics
                .kafka
                .handed_over
                .inc_by(u64::from(self.handed_over.load(Ordering::Acquire)));
        } else {
            state.offsets.settle(position);
        }
        if state.in_flight == 0 {
            self.idle.notify_all();
        }
        drop(state);
        self.breaker.count(outcome);
    }

    fn metrics(&self) -> Option<&Metrics> {
        Some(&self.metrics)
    }

    fn revoked(&self) -> bool {
        self.closed.load(Ordering::Acquire) || !self.lease.is_valid()
    }
}
