//! What a replay says at its end.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::Serialize;

use crate::source::file::{PositionCounts, ReplayCounts};

/// The last line on standard error. Counts include those of an earlier replay, the rate does not.
pub(super) fn line(counts: &ReplayCounts, elapsed: Duration, dry: bool) -> String {
    let failed = counts.failed.load(Relaxed);
    let total = counts.total();
    let PositionCounts { written, stale, skipped, dead_lettered } = total;
    let stale = if stale > 0 { format!("{stale} stale, ") } else { String::new() };
    let seconds = elapsed.as_secs_f64();
    let rate = counts.settled() as f64 / seconds;
    let would = if dry { "nothing was written; it would be " } else { "" };
    format!(
        "{} events in {seconds:.1} s ({rate:.0}/s): {would}{written} written, \
         {stale}{skipped} skipped, {dead_lettered} dead-lettered, {failed} failed",
        total.events() + failed
    )
}

/// What a dry run prints, in this order.
#[derive(Serialize)]
struct DryRunSummary {
    events: u64,
    written: u64,
    skipped: BTreeMap<&'static str, u64>,
    dead_lettered: BTreeMap<&'static str, u64>,
}

/// The last line of a dry run on standard output.
pub(super) fn json(counts: &ReplayCounts) -> String {
    let total = counts.total();
    let summary = DryRunSummary {
        events: total.events(),
        written: total.written,
        skipped: counts.skipped_by_reason(),
        dead_lettered: counts.dead_lettered_by_reason(),
    };
    serde_json::to_string(&summary).expect("numbers below names")
}
