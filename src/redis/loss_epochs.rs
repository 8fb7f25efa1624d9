//! Counts the times that another server may have taken the place of the one that confirmed the last
//! writes, without all of them.

use std::fmt::Display;
use std::sync::Arc;

use tokio::sync::watch;

/// Shared by all connections to one Redis.
#[derive(Debug, Clone)]
pub struct LossEpochs(Arc<watch::Sender<u64>>);

impl Default for LossEpochs {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl LossEpochs {
    pub fn count(&self) -> u64 {
        *self.0.borrow()
    }

    /// Learns of every further switch.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// Data may have moved, for `reason`, which is logged. Call it when no write that begins later
    /// can reach the old server.
    pub fn note(&self, reason: impl Display) {
        self.note_since(self.count(), reason);
    }

    /// The same for one of many lanes, whose last write to the old server was confirmed when the
    /// count was `seen`: what was counted since then includes it.
    pub fn note_since(&self, seen: u64, reason: impl Display) {
        let counted = self.0.send_if_modified(|count| {
            let first = *count == seen;
            *count += u64::from(first);
            first
        });
        if counted {
            tracing::warn!("Redis: {reason}; what was confirmed last may be lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_that_wrote_nothing_since_do_not_count_again() {
        let epochs = LossEpochs::default();
        let told = epochs.subscribe();
        let seen = epochs.count();
        for _ in 0..4 {
            epochs.note_since(seen, "restarted");
        }
        assert_eq!((epochs.count(), *told.borrow()), (1, 1));
        epochs.note_since(epochs.count(), "restarted");
        epochs.note("a new master");
        assert_eq!(epochs.count(), 3);
    }
}
