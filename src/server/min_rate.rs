//! The minimal rate at which a client must send a request's body. Pure, apart from the clock.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes per second. A client that sends more slowly counts as silent for the difference.
const MIN_RATE: u64 = 4096;

/// Tracks how well a client keeps the minimal rate.
#[derive(Clone, Copy)]
pub struct MinRate {
    /// The time up to which the client kept the rate.
    kept_until: Instant,
}

impl MinRate {
    /// The rate counts from `begun` on.
    pub fn start(begun: Instant) -> Self {
        Self { kept_until: begun }
    }

    /// `bytes` came now. Bytes that come faster than they must are no credit for later.
    pub fn received(&mut self, bytes: usize) {
        let earned = Duration::from_micros(bytes as u64 * 1_000_000 / MIN_RATE);
        self.kept_until = Instant::now().min(self.kept_until + earned);
    }

    /// The time up to which the client kept the rate.
    pub fn kept_until(&self) -> Instant {
        self.kept_until
    }

    /// How long nothing came, or too little.
    pub fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.kept_until)
    }
}
