//! What the polling thread keeps from burst to burst.

use std::time::Instant;

use crate::event::SkipReason;
use crate::metrics::SourceMetrics;
use crate::pipeline::Bundles;
use crate::trace::WorkSpan;

use super::deciding::PolledRecord;
use super::missing_types::MissingTypes;
use super::ordered_threads::OrderedThreads;

/// What the polling thread keeps from burst to burst.
pub(super) struct BurstState<'a> {
    /// They decide on the records of bursts.
    pub(super) deciders: OrderedThreads<Vec<PolledRecord<'a>>, Burst>,
    pub(super) bundles: Bundles,
    pub(super) types: MissingTypes,
    pub(super) counts: BurstCounts,
}

/// What is known of a burst besides its records.
pub(super) struct Burst {
    pub(super) received: Instant,
    pub(super) span: WorkSpan,
}

/// Events that are not counted in the metrics yet.
#[derive(Default)]
pub(super) struct BurstCounts {
    pub(super) received: u64,
    pub(super) skipped: [u64; SkipReason::ALL.len()],
}

impl<'a> BurstState<'a> {
    pub(super) fn new(
        deciders: OrderedThreads<Vec<PolledRecord<'a>>, Burst>,
        bundles: Bundles,
    ) -> Self {
        let (types, counts) = (MissingTypes::default(), BurstCounts::default());
        Self { deciders, bundles, types, counts }
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
