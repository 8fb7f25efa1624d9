//! What all writes have in common. Pure.

use super::guard::Guard;
use crate::profile::FieldTtl;

/// What all writes have in common.
#[derive(Debug, Default)]
pub(super) struct WriteSettings {
    /// `None`: updates are not guarded.
    pub(super) guard: Option<Guard>,
    /// The guard of updates that replace what a hash has; `None`: there are none.
    pub(super) replacing_guard: Option<Guard>,
    pub(super) field_ttl: Vec<FieldTtl>,
    /// Milliseconds for which a deleted user is remembered, with a guard; 0: for ever.
    pub(super) tombstone_ttl: u64,
}

impl WriteSettings {
    /// The guard, of which every guarded update speaks.
    pub(super) fn guard(&self, replaces: bool) -> &Guard {
        let guard = if replaces { &self.replacing_guard } else { &self.guard };
        guard.as_ref().expect("updates are guarded where the configuration has a guard")
    }
}
