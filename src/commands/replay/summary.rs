//! What a replay says at its end.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::json;

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

/// What a dry run prints.
pub(super) fn json(counts: &ReplayCounts) -> String {
    let total = counts.total();
    json!({
        "events": total.events(),
        "written": total.written,
        "skipped": counts.skipped_by_reason(),
        "dead_lettered": counts.dead_lettered_by_reason(),
    })
    .to_string()
}
