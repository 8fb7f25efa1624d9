//! What a lane is made of.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::dead_letter::DeadLetters;
use crate::metrics::Metrics;
use crate::pipeline::health::LaneHealth;
use crate::pipeline::poison::PoisonDetector;
use crate::pipeline::queue::Queue;

/// Numbers of `[delivery]` that a lane needs.
#[derive(Debug, Clone, Copy)]
pub struct LaneLimits {
    /// Events in one pipeline.
    pub max_batch: usize,
    pub max_batch_bytes: usize,
    /// Failures in a row, with their pauses, before the lane counts as down and refuses at once.
    pub retry_count: u32,
    pub retry_min: Duration,
    pub retry_max: Duration,
}

/// The task that empties one queue into Redis.
pub struct Lane<S> {
    pub queue: Arc<Queue>,
    pub store: S,
    pub letters: DeadLetters,
    pub limits: LaneLimits,
    pub metrics: Arc<Metrics>,
    pub health: LaneHealth,
    /// Shared by all lanes.
    pub poison: Arc<PoisonDetector>,
    /// Drop everything now; unsettled acks fail.
    pub hard: CancellationToken,
}
