//! Those who watch the tap, and what was not shown to them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::lock::lock;

/// Watchers at the same time, at most.
pub const MAX_WATCHERS: usize = 4;
/// Lines that wait for one watcher, at most.
pub(super) const WAITING_LINES: usize = 256;

/// Why nothing can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotWatched {
    /// `admin.tap = "off"`.
    Off,
    /// [`MAX_WATCHERS`] watch already.
    TooMany,
    /// The process is stopping.
    Stopping,
}

/// Those who watch now.
#[derive(Default)]
pub(super) struct Watchers {
    /// The number of watchers.
    count: AtomicUsize,
    table: Mutex<WatcherTable>,
    /// Decisions that nobody was shown because there were too many.
    left_out: AtomicU64,
}

#[derive(Default)]
struct WatcherTable {
    open: Vec<Watcher>,
    next_id: u64,
    closed: bool,
}

struct Watcher {
    id: u64,
    lines: Sender<Bytes>,
    dropped: Arc<AtomicU64>,
}

/// The other side of a [`Watcher`].
pub(super) struct WatcherHandle {
    pub(super) id: u64,
    pub(super) lines: Receiver<Bytes>,
    /// Lines for which this watcher had no room.
    pub(super) dropped: Arc<AtomicU64>,
}

impl Watchers {
    /// The number of watchers.
    pub(super) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Adds a watcher, until [`Watchers::remove`].
    ///
    /// # Errors
    /// There are too many, or [`Watchers::close`] was called.
    pub(super) fn add(&self) -> Result<WatcherHandle, NotWatched> {
        let mut table = lock(&self.table);
        if table.closed {
            return Err(NotWatched::Stopping);
        }
        if table.open.len() >= MAX_WATCHERS {
            return Err(NotWatched::TooMany);
        }
        let (sender, lines) = mpsc::channel(WAITING_LINES);
        let (id, dropped) = (table.next_id, Arc::<AtomicU64>::default());
        table.next_id += 1;
        table.open.push(Watcher { id, lines: sender, dropped: Arc::clone(&dropped) });
        self.count.store(table.open.len(), Relaxed);
        Ok(WatcherHandle { id, lines, dropped })
    }

    /// The watcher `id` has left.
    pub(super) fn remove(&self, id: u64) {
        let mut table = lock(&self.table);
        table.open.retain(|watcher| watcher.id != id);
        self.count.store(table.open.len(), Relaxed);
    }

    /// Removes all, and takes no new ones.
    pub(super) fn close(&self) {
        let mut table = lock(&self.table);
        table.closed = true;
        table.open.clear();
        self.count.store(0, Relaxed);
    }

    /// Gives `line` to every watcher that has room for it.
    pub(super) fn send(&self, line: &Bytes) {
        for watcher in &lock(&self.table).open {
            if watcher.lines.try_send(line.clone()).is_err() {
                watcher.dropped.fetch_add(1, Relaxed);
            }
        }
    }

    /// Counts a decision that nobody is shown.
    pub(super) fn leave_out(&self) {
        self.left_out.fetch_add(1, Relaxed);
    }

    /// Decisions that nobody was shown, since the start.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.load(Relaxed)
    }
}
