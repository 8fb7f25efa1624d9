//! How well a client keeps up with the least speed of a body.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes per second. Who is slower counts as silent for the difference.
const RATE: u64 = 4096;
/// A body that falls behind by more is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time up to which a client kept up. What comes faster than it must saves nothing for later.
pub(super) struct Pace(Instant);

impl Pace {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn came(&mut self, bytes: usize) {
        let earned = Duration::from_micros(bytes as u64 * 1_000_000 / RATE);
        self.0 = Instant::now().min(self.0 + earned);
    }

    /// For how long nothing came, or too little.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.0)
    }

    /// When to give the body up if nothing more comes.
    pub(super) fn deadline(&self) -> Instant {
        self.0 + PATIENCE
    }
}
