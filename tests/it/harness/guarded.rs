//! Faults with another profile: `TRAITSINK_GUARDED=1` gives every worker the guard of newer fields
//! and a TTL, and every oracle the fields of events alone.

use std::collections::BTreeMap;

/// Whether workers have the guard.
pub(crate) fn is_guarded() -> bool {
    std::env::var_os("TRAITSINK_GUARDED").is_some()
}

/// What such workers are told besides.
pub(crate) const SETTINGS: [&str; 2] = ["profile.newest_wins=field", "profile.ttl=2h"];

/// A hash without the fields of the guard.
pub(crate) fn without_times(mut hash: BTreeMap<Vec<u8>, Vec<u8>>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    if is_guarded() {
        hash.retain(|name, _| name != b"_ts" && !name.starts_with(b"_ts:"));
    }
    hash
}
