//! What the polling thread keeps from burst to burst.

use crate::event::SkipReason;
use crate::metrics::SourceMetrics;
use crate::pipeline::Bundles;

use super::missing_types::MissingTypes;

/// What the polling thread keeps from burst to burst.
pub(super) struct BurstState {
    pub(super) bundles: Bundles,
    pub(super) types: MissingTypes,
    pub(super) counts: BurstCounts,
}

/// Events that are not counted in the metrics yet.
#[derive(Default)]
pub(super) struct BurstCounts {
    pub(super) received: u64,
    pub(super) skipped: [u64; SkipReason::ALL.len()],
}

impl BurstState {
    pub(super) fn new(bundles: Bundles) -> Self {
        Self { bundles, types: MissingTypes::default(), counts: BurstCounts::default() }
    }
}

impl BurstCounts {
    /// Adds all to `metrics`.
    pub(super) fn flush(&mut self, metrics: &SourceMetrics) {
        let Self { received, skipped } = std::mem::take(self);
        metrics.received.inc_by(received);
        let skipped = SkipReason::ALL.iter().zip(skipped).filter(|(_, count)| *count > 0);
        skipped.for_each(|(&reason, count)| metrics.skipped(reason).inc_by(count));
    }
}
