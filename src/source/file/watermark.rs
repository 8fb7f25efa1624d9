//! How far a replay has come: everything before its position is settled. Lines are counted in
//! blocks, so that an event costs two atomic additions and no lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use tokio::sync::Notify;

use crate::lock::lock;
use crate::metrics::Metrics;
use crate::pipeline::{Outcome, Receipts};
use crate::source::log::Offsets;

use super::counts::{PositionCounts, ReplayCounts};

/// More than the events of a block. An open block has this many, and gives back those that it did
/// not take when it is closed.
const OPEN: u64 = 1 << 32;

/// A place in a list of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayPosition {
    /// The number of the file in the list.
    pub file: usize,
    /// Bytes of its text, decompressed.
    pub offset: u64,
    /// The events before it.
    pub counts: PositionCounts,
}

/// The position of a replay.
pub struct Watermark {
    state: Mutex<WatermarkState>,
    idle: Notify,
}

struct WatermarkState {
    /// Bytes of all files' text, one after the other.
    offsets: Offsets,
    /// Where in `offsets` each file begins; that of the first file may be below zero.
    starts: Vec<(i64, usize)>,
    /// Settled blocks from the position on, by their end.
    settled: BTreeMap<i64, PositionCounts>,
    counts: PositionCounts,
    /// Where the last block ends.
    end: i64,
    /// Blocks that are not settled, with those that failed while their events are in flight.
    pending: u64,
}

impl Watermark {
    /// Begins at `position`.
    pub fn new(position: ReplayPosition) -> Arc<Self> {
        let start = -i64::try_from(position.offset).expect("no file is that long");
        let state = WatermarkState {
            offsets: Offsets::default(),
            starts: vec![(start, position.file)],
            settled: BTreeMap::new(),
            counts: position.counts,
            end: 0,
            pending: 0,
        };
        Arc::new(Self { state: Mutex::new(state), idle: Notify::new() })
    }

    /// The file with the number `file` begins where the last block ended.
    pub fn begin_file(&self, file: usize) {
        let mut state = self.lock();
        let end = state.end;
        state.starts.push((end, file));
    }

    /// The place up to which everything is settled.
    pub fn position(&self) -> ReplayPosition {
        let state = self.lock();
        let reached = state.offsets.watermark().unwrap_or(0);
        let (start, file) = state
            .starts
            .iter()
            .rev()
            .find(|(start, _)| *start <= reached)
            .copied()
            .expect("the first file begins at or below zero");
        ReplayPosition { file, offset: reached.abs_diff(start), counts: state.counts }
    }

    /// Waits until no event is in flight.
    pub async fn wait_until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.lock().pending == 0 {
                return;
            }
            idle.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, WatermarkState> {
        lock(&self.state)
    }
}

/// Lines whose events are settled together.
pub(super) struct LineBlock {
    watermark: Arc<Watermark>,
    counts: Arc<ReplayCounts>,
    metrics: Arc<Metrics>,
    /// Events without outcome.
    pending: AtomicU64,
    /// Not all of its events were taken, or one failed: the position stays before this block.
    failed: AtomicBool,
    stale: AtomicU64,
    skipped: AtomicU64,
    dead_lettered: AtomicU64,
    /// Known once the block is closed.
    extent: OnceLock<Extent>,
}

struct Extent {
    position: u64,
    end: i64,
    events: u64,
}

impl LineBlock {
    /// A block that takes events until it is closed.
    pub(super) fn open(
        watermark: &Arc<Watermark>,
        counts: &Arc<ReplayCounts>,
        metrics: &Arc<Metrics>,
    ) -> Arc<Self> {
        watermark.lock().pending += 1;
        Arc::new(Self {
            watermark: Arc::clone(watermark),
            counts: Arc::clone(counts),
            metrics: Arc::clone(metrics),
            pending: AtomicU64::new(OPEN),
            failed: AtomicBool::new(false),
            stale: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            dead_lettered: AtomicU64::new(0),
            extent: OnceLock::new(),
        })
    }

    /// The block has taken `events` events, from `bytes` bytes of text; `complete`: all that there
    /// are in them.
    pub(super) fn close(&self, events: u64, bytes: u64, complete: bool) {
        if !complete {
            self.failed.store(true, Ordering::Relaxed);
        }
        let mut state = self.watermark.lock();
        state.end += bytes as i64;
        let end = state.end;
        // The text before `end` is settled when the block is.
        let position = state.offsets.deliver(end - 1, 1);
        drop(state);
        let _ = self.extent.set(Extent { position, end, events });
        self.release(OPEN - events);
    }

    fn release(&self, events: u64) {
        if self.pending.fetch_sub(events, Ordering::AcqRel) == events {
            self.settled();
        }
    }

    fn settled(&self) {
        let extent = self.extent.get().expect("an open block is never settled");
        let mut state = self.watermark.lock();
        state.pending -= 1;
        if !self.failed.load(Ordering::Relaxed) {
            let [stale, skipped, dead_lettered] = [&self.stale, &self.skipped, &self.dead_lettered]
                .map(|count| count.load(Ordering::Relaxed));
            let written = extent.events - stale - skipped - dead_lettered;
            let counts = PositionCounts { written, stale, skipped, dead_lettered };
            state.settled.insert(extent.end, counts);
            state.offsets.settle(extent.position);
            let reached = state.offsets.watermark().unwrap_or(0);
            while let Some(first) = state.settled.first_entry().filter(|at| *at.key() <= reached) {
                let counts = first.remove();
                state.counts.add(counts);
            }
        }
        let idle = state.pending == 0;
        drop(state);
        if idle {
            self.watermark.idle.notify_waiters();
        }
    }
}

impl Receipts for LineBlock {
    fn settle(&self, _position: u64, outcome: Outcome) {
        self.counts.count(outcome);
        match outcome {
            Outcome::Written => {}
            Outcome::Stale => _ = self.stale.fetch_add(1, Ordering::Relaxed),
            Outcome::Skipped(_) => _ = self.skipped.fetch_add(1, Ordering::Relaxed),
            Outcome::Rejected(_) | Outcome::DeadLettered(_) => {
                self.dead_lettered.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Failed => self.failed.store(true, Ordering::Relaxed),
        }
        self.release(1);
    }

    fn metrics(&self) -> Option<&Metrics> {
        Some(&self.metrics)
    }
}

#[cfg(test)]
mod tests {
    use crate::event::SkipReason;

    use super::*;

    fn place(watermark: &Watermark) -> (usize, u64, u64) {
        let position = watermark.position();
        (position.file, position.offset, position.counts.events())
    }

    #[test]
    fn the_position_waits_for_all_lines_before_it() {
        let before = PositionCounts { written: 5, ..PositionCounts::default() };
        let watermark = Watermark::new(ReplayPosition { file: 1, offset: 30, counts: before });
        let counts = Arc::new(ReplayCounts::after(before));
        let metrics = Arc::new(Metrics::new());
        let open = || LineBlock::open(&watermark, &counts, &metrics);
        let (first, second) = (open(), open());
        first.settle(0, Outcome::Written);
        first.close(2, 10, true);
        second.close(1, 7, true);
        second.settle(0, Outcome::Skipped(SkipReason::Empty));
        assert_eq!(place(&watermark), (1, 30, 5));
        first.settle(0, Outcome::Written);
        assert_eq!(place(&watermark), (1, 47, 8));
        assert_eq!(watermark.position().counts.skipped, 1);
        watermark.begin_file(3);
        assert_eq!(place(&watermark), (3, 0, 8));
        let third = open();
        third.close(1, 4, true);
        third.settle(0, Outcome::Written);
        assert_eq!(place(&watermark), (3, 4, 9));
        assert_eq!((counts.settled(), counts.total().events()), (4, 9));
    }

    #[tokio::test]
    async fn it_stays_before_a_block_that_failed_or_was_not_read_to_its_end() {
        let watermark = Watermark::new(ReplayPosition::default());
        let counts = Arc::new(ReplayCounts::after(PositionCounts::default()));
        let metrics = Arc::new(Metrics::new());
        let open = || LineBlock::open(&watermark, &counts, &metrics);
        let blocks = [open(), open(), open()];
        blocks[0].close(0, 5, true);
        blocks[1].settle(0, Outcome::Failed);
        blocks[1].close(1, 5, true);
        blocks[2].close(0, 5, false);
        watermark.wait_until_idle().await;
        assert_eq!(place(&watermark), (0, 5, 0));
        assert_eq!(counts.failed.load(Ordering::Relaxed), 1);
    }
}
