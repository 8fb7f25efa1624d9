//! What the guard's scripts do to a hash, without Lua. Pure.
//!
//! The rules are those of the scripts in `redis/command/guard`, which keep the times in fields.

use std::collections::HashSet;

use super::guard_times::GuardTimes;
use super::hash::{FieldPairs, Hash, Millis};
use super::key_end::KeyEnd;
use crate::redis::GuardMode;

/// The most fields that are not in the hash whose times are kept.
const MAX_GONE: usize = 512;

/// The scripts' replies.
const STALE: i64 = 0;
const APPLIED: i64 = 1;
const REMOVED: i64 = 2;

/// The call of a script for an event.
pub(super) struct EventCall<'a> {
    pub(super) mode: GuardMode,
    /// In milliseconds since 1970.
    pub(super) time: u64,
    pub(super) set: FieldPairs<'a>,
    pub(super) removed: Vec<&'a [u8]>,
    pub(super) end: Option<KeyEnd>,
    /// A TTL in milliseconds, and the fields that get it.
    pub(super) field_ttls: Vec<(u64, Vec<&'a [u8]>)>,
    /// In milliseconds; 0: none.
    pub(super) tombstone_ttl: u64,
}

/// The call of a script for the deletion of a user.
pub(super) struct DeletionCall {
    /// In mode "profile", not "field".
    pub(super) by_profile: bool,
    /// In milliseconds since 1970.
    pub(super) time: u64,
    /// Newer fields go, too.
    pub(super) everything: bool,
    /// In milliseconds; 0: none.
    pub(super) tombstone_ttl: u64,
}

/// The script's reply.
pub(super) fn apply(hash: &mut Hash, event: &EventCall<'_>, now: Millis) -> i64 {
    if event.mode == GuardMode::Field {
        adopt(hash);
    }
    let newest = hash.guard.as_ref().map(|guard| guard.newest);
    let is_late = newest.is_some_and(|newest| event.time < newest);
    let (set, removed) = match event.mode {
        GuardMode::Field => survivors(hash, event),
        GuardMode::Profile | GuardMode::ProfileReplace if is_late => return STALE,
        GuardMode::Profile | GuardMode::ProfileReplace => {
            (event.set.clone(), event.removed.clone())
        }
    };
    if event.mode == GuardMode::Field && set.is_empty() && removed.is_empty() {
        return STALE;
    }
    let names: HashSet<&[u8]> = set.iter().map(|(name, _)| *name).collect();
    if event.mode == GuardMode::ProfileReplace {
        hash.retain(|name| names.contains(name));
    }
    set.iter().for_each(|(name, value)| _ = hash.set(name, value));
    removed.iter().for_each(|name| _ = hash.remove(name));

    let guard = hash.guard.get_or_insert_default();
    let was_tombstone = guard.is_tombstone;
    guard.is_tombstone = was_tombstone && set.is_empty();
    guard.newest = guard.newest.max(event.time);
    if event.mode == GuardMode::Field {
        let changed = names.iter().chain(&removed);
        guard.fields.extend(changed.map(|name| (name.to_vec(), event.time)));
        limit_times(hash);
    } else {
        *guard = GuardTimes {
            newest: guard.newest,
            by_profile: true,
            is_tombstone: guard.is_tombstone,
            ..GuardTimes::default()
        };
    }
    give_ends(hash, event, &names, is_late, was_tombstone, now);
    APPLIED
}

/// The fields of an event, and the names that it removes, that are not older than what is known.
fn survivors<'a>(hash: &Hash, event: &EventCall<'a>) -> (FieldPairs<'a>, Vec<&'a [u8]>) {
    let guard = hash.guard.as_ref();
    let survives = |name: &[u8]| guard.is_none_or(|guard| guard.allows(name, event.time));
    let set = event.set.iter().filter(|(name, _)| survives(name)).copied().collect();
    let removed = event.removed.iter().filter(|name| survives(name)).copied().collect();
    (set, removed)
}

/// Gives the key and its fields their ends after a write of the fields in `set`.
fn give_ends(
    hash: &mut Hash,
    event: &EventCall<'_>,
    set: &HashSet<&[u8]>,
    is_late: bool,
    was_tombstone: bool,
    now: Millis,
) {
    for (ttl, names) in &event.field_ttls {
        for name in names.iter().filter(|name| set.contains(*name)) {
            hash.end_field(name, now.saturating_add(*ttl));
        }
    }
    if was_tombstone && set.is_empty() {
        return;
    }
    if was_tombstone {
        hash.end = None;
    }
    match event.end {
        Some(end) if !is_late || was_tombstone => end.give(hash, now),
        _ if set.is_empty() && event.tombstone_ttl > 0 && hash.end.is_none() && hash.len() == 0 => {
            become_tombstone(hash, event.tombstone_ttl, now);
        }
        _ => {}
    }
}

/// The script's reply.
pub(super) fn delete(hash: &mut Hash, deletion: &DeletionCall, now: Millis) -> i64 {
    let mut time = deletion.time;
    let newest = hash.guard.as_ref().map(|guard| guard.newest);
    if deletion.everything {
        time = newest.map_or(time, |newest| newest.max(time));
    }
    if newest.is_none_or(|newest| newest <= time) {
        return bury(hash, deletion, time, now);
    }
    if deletion.by_profile {
        // A deletion that was made before is made again.
        let is_repeated =
            hash.guard.as_ref().is_some_and(|guard| guard.newest == time + 1 && guard.is_tombstone);
        return if is_repeated { bury(hash, deletion, time, now) } else { STALE };
    }
    adopt(hash);
    let Some(mut guard) = hash.guard.take() else { return STALE };
    guard.fields.retain(|_, newest| *newest > time);
    let gone = hash.retain(|name| guard.fields.contains_key(name));
    let is_newest = guard.floor <= time + 1;
    guard.floor = guard.floor.max(time + 1);
    hash.guard = Some(guard);
    if hash.len() == 0 && (is_newest || gone > 0) {
        become_tombstone(hash, deletion.tombstone_ttl, now);
    }
    match (gone, is_newest) {
        (1.., _) => REMOVED,
        (0, true) => APPLIED,
        (0, false) => STALE,
    }
}

/// Nothing is newer than the deletion: all goes.
fn bury(hash: &mut Hash, deletion: &DeletionCall, time: u64, now: Millis) -> i64 {
    let had_fields = hash.len() > 0;
    let floor = if deletion.by_profile { 0 } else { time + 1 };
    let by_profile = deletion.by_profile;
    *hash = Hash::default();
    hash.guard = Some(GuardTimes { newest: time + 1, floor, by_profile, ..GuardTimes::default() });
    become_tombstone(hash, deletion.tombstone_ttl, now);
    if had_fields { REMOVED } else { APPLIED }
}

/// No field is left: the key stays for so many milliseconds; 0: for ever.
fn become_tombstone(hash: &mut Hash, ttl: u64, now: Millis) {
    hash.guard.get_or_insert_default().is_tombstone = true;
    hash.end = (ttl > 0).then(|| now.saturating_add(ttl));
}

/// After mode "profile" all fields count as written at the newest time, and nothing older is taken.
fn adopt(hash: &mut Hash) {
    let Some(mut guard) = hash.guard.take() else { return };
    if std::mem::take(&mut guard.by_profile) {
        guard.floor = guard.newest;
        guard.fields = hash.fields().map(|(name, _)| (name.to_vec(), guard.newest)).collect();
    }
    hash.guard = Some(guard);
}

/// Forgets the oldest times of fields that are not in the hash when there are too many. What is
/// older than those that stay is no longer taken.
fn limit_times(hash: &mut Hash) {
    let Some(mut guard) = hash.guard.take() else { return };
    if guard.fields.len() > hash.len() + MAX_GONE {
        let times = guard.fields.iter().filter(|(name, _)| hash.get(name).is_none());
        let mut times: Vec<u64> = times.map(|(_, time)| *time).collect();
        times.sort_unstable();
        let floor = times[times.len() - MAX_GONE / 2].max(guard.floor);
        guard.fields.retain(|name, time| *time > floor || hash.get(name).is_some());
        guard.floor = floor;
    }
    hash.guard = Some(guard);
}
