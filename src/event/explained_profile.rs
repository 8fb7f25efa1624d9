//! What an explanation says about the rules of a profile: removed fields, times and ends.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde_json::Value;

use super::guard_time::GuardTime;
use super::profile_rules::ProfileRules;
use super::{Action, Expiry, Update};
use crate::profile::FieldTtl;

/// Adds the entries for `update`, of which `shown` names are shown and as many removed ones as
/// `room` has bytes for: `deleted`, `replace`, `ttl` (seconds) or `expires_at`, `field_ttl`
/// (seconds), `time`, `time_from` and `clamped`, each only where it applies.
pub(super) fn serialize<M: SerializeMap>(
    map: &mut M,
    update: &Update,
    rules: &ProfileRules,
    time: Option<GuardTime>,
    shown: usize,
    mut room: usize,
) -> Result<(), M::Error> {
    let fits = |name: &&[u8]| {
        let left = room.checked_sub(name.len());
        room = left.unwrap_or(room);
        left.is_some()
    };
    if update.removed_count() > 0 {
        let deleted: Vec<_> =
            update.removed().take_while(fits).map(String::from_utf8_lossy).collect();
        map.serialize_entry("deleted", &deleted)?;
        let left_out = update.removed_count() as usize - deleted.len();
        if left_out > 0 {
            map.serialize_entry("deleted_left_out", &left_out)?;
        }
    }
    if matches!(update.action(), Action::Replace | Action::ReplaceDocument) {
        map.serialize_entry("replace", &true)?;
    }
    match update.expiry() {
        Some(Expiry::After(ms)) => map.serialize_entry("ttl", &seconds(ms))?,
        Some(Expiry::At(ms)) => map.serialize_entry("expires_at", &moment(ms.cast_signed()))?,
        None => {}
    }
    let ttl = |(name, _)| {
        let ms = FieldTtl::of_field(&rules.field_ttl, name)?;
        Some((String::from_utf8_lossy(name), seconds(ms)))
    };
    let field_ttl: BTreeMap<_, _> = update.fields().take(shown).filter_map(ttl).collect();
    if !field_ttl.is_empty() {
        map.serialize_entry("field_ttl", &field_ttl)?;
    }
    if let Some(at) = update.at() {
        map.serialize_entry("time", &moment(at))?;
    }
    if let Some(GuardTime { from, clamped, .. }) = time {
        map.serialize_entry("time_from", from.as_str())?;
        if clamped {
            map.serialize_entry("clamped", &true)?;
        }
    }
    Ok(())
}

/// Seconds as a number, whole where they are.
fn seconds(ms: u64) -> Value {
    if ms.is_multiple_of(1000) { (ms / 1000).into() } else { (ms as f64 / 1000.0).into() }
}

/// RFC 3339 with milliseconds.
fn moment(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX))
}
