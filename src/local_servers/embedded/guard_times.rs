//! What the guard knows of one profile. Pure.

use std::collections::HashMap;

/// The times by which older events are told from newer ones, in milliseconds since 1970. Redis
/// keeps them in fields of the hash; here they stand beside it.
#[derive(Default)]
pub(super) struct GuardTimes {
    /// The newest time of the profile.
    pub(super) newest: u64,
    /// Nothing older is taken. 0: there is no floor.
    pub(super) floor: u64,
    /// It was last written in mode "profile", which knows the newest time only.
    pub(super) by_profile: bool,
    /// Nothing was left by the last removal or deletion; the key has the TTL of a tombstone.
    pub(super) is_tombstone: bool,
    /// When fields were last set or removed, by name.
    pub(super) fields: HashMap<Vec<u8>, u64>,
}

impl GuardTimes {
    /// Whether nothing newer keeps this field as it is.
    pub(super) fn allows(&self, name: &[u8], time: u64) -> bool {
        time >= self.floor && self.fields.get(name).is_none_or(|newest| time >= *newest)
    }
}
