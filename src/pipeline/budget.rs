//! The one bound on memory: bytes in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use prometheus::IntGauge;

/// Bytes that may be held at once: bodies while they are read, messages, packed updates.
pub struct Budget {
    limit: usize,
    held: AtomicUsize,
    /// The part of `held` that belongs to bodies which are still being read.
    reading: AtomicUsize,
    gauge: IntGauge,
}

impl Budget {
    /// At most `limit` bytes; `gauge` shows those that are held.
    pub fn new(limit: usize, gauge: IntGauge) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0), reading: AtomicUsize::new(0), gauge })
    }

    /// The most bytes that may be held.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// The part of [`Budget::held`] that belongs to bodies which are still being read.
    pub fn reading(&self) -> usize {
        self.reading.load(Relaxed)
    }

    /// Never waits: `None` when `bytes` more would exceed the limit.
    pub fn try_reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        self.try_reserve_below(bytes, self.limit)
    }

    /// Never waits: `None` when `bytes` more would exceed `limit`, which is at most that of the
    /// budget: the rest is left for others.
    pub fn try_reserve_below(self: &Arc<Self>, bytes: usize, limit: usize) -> Option<Reservation> {
        let mut reservation = Reservation { budget: Arc::clone(self), bytes: 0, reading: 0 };
        reservation.try_grow_below(bytes, limit).then_some(reservation)
    }
}

/// Bytes that are held, and given back when this is dropped.
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
    /// The part of `bytes` that counts as a body that is being read.
    reading: usize,
}

impl Reservation {
    /// Bytes held by this reservation.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Never waits: false, and nothing changes, when `more` bytes would exceed the limit.
    pub fn try_grow(&mut self, more: usize) -> bool {
        self.try_grow_below(more, self.budget.limit)
    }

    fn try_grow_below(&mut self, more: usize, limit: usize) -> bool {
        let Budget { held, gauge, .. } = &*self.budget;
        let fits = |now: usize| now.checked_add(more).filter(|&sum| sum <= limit);
        if held.fetch_update(Relaxed, Relaxed, fits).is_err() {
            return false;
        }
        gauge.add(more as i64);
        self.bytes += more;
        true
    }

    /// [`Reservation::try_grow`] for a body that is being read: all of it counts as such, and all
    /// such bodies together never exceed `share` by it.
    pub fn try_grow_reading(&mut self, more: usize, share: usize) -> bool {
        let joining = self.bytes - self.reading + more;
        let fits = |now: usize| now.checked_add(joining).filter(|&sum| sum <= share);
        if self.budget.reading.fetch_update(Relaxed, Relaxed, fits).is_err() {
            return false;
        }
        if !self.try_grow(more) {
            self.budget.reading.fetch_sub(joining, Relaxed);
            return false;
        }
        self.reading = self.bytes;
        true
    }

    /// The body is complete, and no longer counts as one that is being read.
    pub fn read(&mut self) {
        if self.reading > 0 {
            self.budget.reading.fetch_sub(std::mem::take(&mut self.reading), Relaxed);
        }
    }

    /// Takes `bytes`, or all if there are fewer, out of this reservation into one of their own.
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes - self.reading);
        self.bytes -= bytes;
        Self { budget: Arc::clone(&self.budget), bytes, reading: 0 }
    }

    /// Gives `less` bytes back.
    pub fn shrink(&mut self, less: usize) {
        let less = less.min(self.bytes);
        self.bytes -= less;
        let left = self.reading.saturating_sub(self.bytes);
        self.reading -= left;
        self.budget.reading.fetch_sub(left, Relaxed);
        self.budget.held.fetch_sub(less, Relaxed);
        self.budget.gauge.sub(less as i64);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.read();
        self.budget.held.fetch_sub(self.bytes, Relaxed);
        self.budget.gauge.sub(self.bytes as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(limit: usize) -> (Arc<Budget>, IntGauge) {
        let gauge = IntGauge::new("held", "held").unwrap();
        (Budget::new(limit, gauge.clone()), gauge)
    }

    #[test]
    fn never_holds_more_than_the_limit() {
        let (budget, gauge) = budget(100);
        let mut first = budget.try_reserve(60).unwrap();
        assert!(budget.try_reserve(41).is_none());
        assert!(!first.try_grow(41));
        assert!(!first.try_grow(usize::MAX));
        assert!(first.try_grow(40));
        assert_eq!((first.bytes(), gauge.get()), (100, 100));
        assert!(budget.try_reserve(1).is_none());
        drop(first);
        assert_eq!(gauge.get(), 0);
        assert!(budget.try_reserve(100).is_some());
    }

    #[test]
    fn bodies_that_are_being_read_have_a_share_of_their_own() {
        let (budget, gauge) = budget(100);
        let (mut first, mut second) =
            (budget.try_reserve(10).unwrap(), budget.try_reserve(0).unwrap());
        assert!(first.try_grow_reading(20, 50));
        assert_eq!((budget.reading(), budget.held()), (30, 30), "what it held before counts too");
        assert!(!second.try_grow_reading(21, 50));
        assert!(second.try_grow_reading(20, 50) && second.try_grow(30));
        assert!(!first.try_grow_reading(30, 100), "nor more than the budget");
        assert_eq!((budget.reading(), budget.held()), (50, 80));
        first.read();
        first.shrink(25);
        assert_eq!((first.bytes(), budget.reading(), gauge.get()), (5, 20, 55));
        second.shrink(45);
        assert_eq!((budget.reading(), budget.held()), (5, 10));
        drop((first, second));
        assert_eq!((budget.reading(), budget.held(), gauge.get()), (0, 0, 0));
    }

    #[test]
    fn what_is_split_off_is_given_back_by_itself() {
        let (budget, gauge) = budget(100);
        let mut all = budget.try_reserve(60).unwrap();
        let (part, rest) = (all.split(20), all.split(50));
        assert_eq!((all.bytes(), part.bytes(), rest.bytes(), gauge.get()), (0, 20, 40, 60));
        drop((all, part));
        assert_eq!((budget.held(), gauge.get()), (40, 40));
        drop(rest);
        assert_eq!((budget.held(), gauge.get()), (0, 0));
    }

    #[test]
    fn never_holds_more_than_the_limit_whoever_asks_at_once() {
        let (budget, gauge) = budget(1000);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let budget = &budget;
                scope.spawn(move || {
                    for round in 0..10_000 {
                        let held = budget.try_reserve((thread * 131 + round * 7) % 500);
                        assert!(budget.held.load(Relaxed) <= 1000);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!((budget.held.load(Relaxed), gauge.get()), (0, 0));
    }
}
