//! Counts how often confirmed writes may have been lost: another server took the place of the one
//! that confirmed them, and may not have all of them.

use std::fmt::Display;
use std::sync::Arc;

use tokio::sync::watch;

/// The count, shared by all connections to one Redis.
#[derive(Debug, Clone)]
pub struct LossEpochs(Arc<watch::Sender<u64>>);

impl Default for LossEpochs {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl LossEpochs {
    /// Losses so far.
    pub fn count(&self) -> u64 {
        *self.0.borrow()
    }

    /// A receiver that learns of every further loss.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// Counts a possible loss for `reason`, which is logged. To be called when no write that begins
    /// later can reach the old server.
    pub fn note(&self, reason: impl Display) {
        self.note_since(self.count(), reason);
    }

    /// The same for one of many lanes. Its last write to the old server was confirmed when the
    /// count was `seen`; if the count has grown since then, this loss is counted already.
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
        let receiver = epochs.subscribe();
        let seen = epochs.count();
        for _ in 0..4 {
            epochs.note_since(seen, "restarted");
        }
        assert_eq!((epochs.count(), *receiver.borrow()), (1, 1));
        epochs.note_since(epochs.count(), "restarted");
        epochs.note("a new master");
        assert_eq!(epochs.count(), 3);
    }
}
