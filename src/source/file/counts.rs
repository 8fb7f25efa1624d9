//! How the events of a replay ended: its receipts.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::pipeline::{Outcome, Receipts};

/// How many events of a replay ended how.
#[derive(Default)]
pub struct ReplayCounts {
    /// Events that Redis confirmed.
    pub written: AtomicU64,
    /// Events that ask for nothing to be written.
    pub skipped: AtomicU64,
    /// Events in the dead letters.
    pub dead_lettered: AtomicU64,
    /// Events that were not written.
    pub failed: AtomicU64,
    taken: AtomicU64,
    settled: AtomicU64,
    idle: Notify,
}

impl ReplayCounts {
    /// Events that have their outcome.
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::Acquire)
    }

    /// Counts one more event as taken; returns its position.
    pub(super) fn take(&self) -> u64 {
        self.taken.fetch_add(1, Ordering::AcqRel)
    }

    /// Waits until every event taken so far is settled.
    pub(super) async fn wait_until_settled(&self) {
        loop {
            let idle = self.idle.notified();
            if self.settled() == self.taken.load(Ordering::Acquire) {
                return;
            }
            idle.await;
        }
    }
}

impl Receipts for ReplayCounts {
    fn settle(&self, _position: u64, outcome: Outcome) {
        let count = match outcome {
            Outcome::Written => &self.written,
            Outcome::Skipped(_) => &self.skipped,
            Outcome::Rejected(_) | Outcome::DeadLettered(_) => &self.dead_lettered,
            Outcome::Failed => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if self.settled.fetch_add(1, Ordering::AcqRel) + 1 == self.taken.load(Ordering::Acquire) {
            self.idle.notify_waiters();
        }
    }
}
