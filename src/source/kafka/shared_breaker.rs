//! The breaker over all outcomes of the source: a wrong configuration must not drain a topic into
//! the dead letters.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lock::lock;
use crate::pipeline::Outcome;
use crate::source::log::Breaker;

/// Counts how events end, on any thread; tripped once too many went into the dead letters.
pub(super) struct SharedBreaker {
    breaker: Mutex<Breaker>,
    /// [`Breaker::is_clear`]: mostly, and then events that are no dead letters need no lock.
    clear: AtomicBool,
    tripped: AtomicBool,
}

impl SharedBreaker {
    pub(super) fn new(breaker: Breaker) -> Self {
        let clear = AtomicBool::new(breaker.is_clear());
        Self { breaker: Mutex::new(breaker), clear, tripped: AtomicBool::new(false) }
    }

    pub(super) fn count(&self, outcome: Outcome) {
        let dead = match outcome {
            Outcome::DeadLettered(_) | Outcome::Rejected(_) => true,
            Outcome::Written | Outcome::Stale | Outcome::Skipped(_) => false,
            // The event is delivered again, and has its outcome then.
            Outcome::Failed => return,
        };
        if !dead && self.clear.load(Ordering::Relaxed) {
            return;
        }
        let mut breaker = lock(&self.breaker);
        if breaker.count(dead) {
            self.tripped.store(true, Ordering::Relaxed);
        }
        self.clear.store(breaker.is_clear(), Ordering::Relaxed);
    }

    pub(super) fn tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed)
    }
}
