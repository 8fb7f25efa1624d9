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
    tripped: AtomicBool,
}

impl SharedBreaker {
    pub(super) fn new(breaker: Breaker) -> Self {
        Self { breaker: Mutex::new(breaker), tripped: AtomicBool::new(false) }
    }

    pub(super) fn count(&self, outcome: Outcome) {
        let dead = match outcome {
            Outcome::DeadLettered(_) | Outcome::Rejected(_) => true,
            Outcome::Written | Outcome::Stale | Outcome::Skipped(_) => false,
            // The event is delivered again, and has its outcome then.
            Outcome::Failed => return,
        };
        if lock(&self.breaker).count(dead) {
            self.tripped.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed)
    }
}
