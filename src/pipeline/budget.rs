//! The one bound on memory: bytes in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use prometheus::IntGauge;

/// Bytes that may be held at once: bodies while they are read, messages, packed updates.
pub struct Budget {
    limit: usize,
    held: AtomicUsize,
    gauge: IntGauge,
}

impl Budget {
    pub fn new(limit: usize, gauge: IntGauge) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0), gauge })
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Never waits: `None` when `bytes` more would exceed the limit.
    pub fn try_reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        let mut reservation = Reservation { budget: Arc::clone(self), bytes: 0 };
        reservation.try_grow(bytes).then_some(reservation)
    }
}

/// Bytes held; given back when dropped.
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reservation {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Never waits: false, and nothing changes, when `more` bytes would exceed the limit.
    pub fn try_grow(&mut self, more: usize) -> bool {
        let Budget { limit, held, gauge } = &*self.budget;
        let fits = |now: usize| now.checked_add(more).filter(|sum| sum <= limit);
        if held.fetch_update(Relaxed, Relaxed, fits).is_err() {
            return false;
        }
        gauge.add(more as i64);
        self.bytes += more;
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Relaxed);
        self.budget.gauge.sub(self.bytes as i64);
    }
}
