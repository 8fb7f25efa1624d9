//! The parts of a lane, and its limits.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::dead_letter::DeadLetters;
use crate::metrics::Metrics;
use crate::pipeline::health::LaneHealth;
use crate::pipeline::poison::PoisonDetector;
use crate::pipeline::queue::Queue;
use crate::redis::Forms;

use super::deletion::LaneDeletion;

/// Numbers of `[delivery]` that a lane needs.
#[derive(Debug, Clone, Copy)]
pub struct LaneLimits {
    /// Events in one batch.
    pub max_batch: usize,
    /// Bytes of updates in one batch.
    pub max_batch_bytes: usize,
    /// Failures in a row, with their pauses, before the lane counts as down and refuses at once.
    pub retry_count: u32,
    /// The first pause after a failure.
    pub retry_min: Duration,
    /// The longest pause after a failure.
    pub retry_max: Duration,
}

/// The parts of a lane. [`Lane::run`] is the task that empties its queue into Redis.
pub struct Lane<S> {
    /// The jobs of the lane.
    pub queue: Arc<Queue>,
    /// The way to Redis.
    pub store: S,
    /// What is written for updates.
    pub forms: Arc<Forms>,
    /// `None`: users are not deleted.
    pub deletion: Option<Arc<LaneDeletion>>,
    /// Where events go that Redis refuses for good.
    pub letters: DeadLetters,
    /// When and how much to write at once.
    pub limits: LaneLimits,
    /// Counts batches, times and events that are set aside.
    pub metrics: Arc<Metrics>,
    /// Where the lane reports whether it can write.
    pub health: LaneHealth,
    /// Shared by all lanes.
    pub poison: Arc<PoisonDetector>,
    /// The hard stop: everything is dropped, and unsettled acks fail.
    pub hard: CancellationToken,
}
