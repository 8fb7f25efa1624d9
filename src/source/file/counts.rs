//! How the events of a replay ended.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::event::SkipReason;
use crate::pipeline::{DeadReason, Outcome};

/// How many events of a replay ended how.
pub struct ReplayCounts {
    /// Events that Redis confirmed.
    pub written: AtomicU64,
    /// Events that changed nothing, because Redis has newer ones.
    pub stale: AtomicU64,
    /// Events that were not written.
    pub failed: AtomicU64,
    skipped: Vec<AtomicU64>,
    dead_lettered: Vec<AtomicU64>,
    /// Events of an earlier replay, which this one goes on with.
    before: PositionCounts,
}

/// Events up to a position, by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PositionCounts {
    pub written: u64,
    #[serde(default)]
    pub stale: u64,
    pub skipped: u64,
    pub dead_lettered: u64,
}

impl PositionCounts {
    /// All events.
    pub fn events(self) -> u64 {
        self.written + self.stale + self.skipped + self.dead_lettered
    }

    /// Adds those of the next lines.
    pub(super) fn add(&mut self, more: Self) {
        self.written += more.written;
        self.stale += more.stale;
        self.skipped += more.skipped;
        self.dead_lettered += more.dead_lettered;
    }
}

impl ReplayCounts {
    /// Begins with the events of an earlier replay.
    pub fn after(before: PositionCounts) -> Self {
        let zeros = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            written: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            skipped: zeros(SkipReason::ALL.len()),
            dead_lettered: zeros(DeadReason::all().count()),
            before,
        }
    }

    /// Counts one more event.
    pub(super) fn count(&self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Written => &self.written,
            Outcome::Stale => &self.stale,
            Outcome::Skipped(reason) => &self.skipped[reason as usize],
            Outcome::Rejected(reason) => &self.dead_lettered[DeadReason::Rejected(reason).index()],
            Outcome::DeadLettered(reason) => &self.dead_lettered[reason.index()],
            Outcome::Failed => &self.failed,
        };
        count.fetch_add(1, Relaxed);
    }

    /// Events that this replay has settled, without those of an earlier one.
    pub fn settled(&self) -> u64 {
        let sum =
            |counts: &[AtomicU64]| counts.iter().map(|count| count.load(Relaxed)).sum::<u64>();
        self.written.load(Relaxed)
            + self.stale.load(Relaxed)
            + self.failed.load(Relaxed)
            + sum(&self.skipped)
            + sum(&self.dead_lettered)
    }

    /// All events that did not fail, with those of an earlier replay.
    pub fn total(&self) -> PositionCounts {
        let sum = |counts: &[AtomicU64]| counts.iter().map(|count| count.load(Relaxed)).sum();
        let mut total = self.before;
        total.add(PositionCounts {
            written: self.written.load(Relaxed),
            stale: self.stale.load(Relaxed),
            skipped: sum(&self.skipped),
            dead_lettered: sum(&self.dead_lettered),
        });
        total
    }

    /// Skipped events by the word of their reason; reasons without events are left out.
    pub fn skipped_by_reason(&self) -> BTreeMap<&'static str, u64> {
        by_reason(SkipReason::ALL.iter().map(|reason| reason.as_str()), &self.skipped)
    }

    /// Dead letters by the word of their reason; reasons without events are left out.
    pub fn dead_lettered_by_reason(&self) -> BTreeMap<&'static str, u64> {
        by_reason(DeadReason::all().map(DeadReason::as_str), &self.dead_lettered)
    }
}

fn by_reason(
    reasons: impl Iterator<Item = &'static str>,
    counts: &[AtomicU64],
) -> BTreeMap<&'static str, u64> {
    reasons
        .zip(counts)
        .map(|(reason, count)| (reason, count.load(Relaxed)))
        .filter(|(_, count)| *count > 0)
        .collect()
}
