//! What forms need of a server that not every server has. Pure.

use super::forms::Forms;

/// A version that a server must have at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) struct VersionNeed {
    /// The key of the configuration that asks for it.
    pub(in crate::redis) key: &'static str,
    /// Major and minor.
    pub(in crate::redis) redis: (u32, u32),
    pub(in crate::redis) valkey: (u32, u32),
}

impl Forms {
    /// The versions that a server must have.
    pub(in crate::redis) fn needs(&self) -> impl Iterator<Item = VersionNeed> {
        let need = |key, redis, valkey| VersionNeed { key, redis, valkey };
        let once = self.expires_once();
        let guard = self.is_guarded();
        let field_ttl = self.fields_end();
        [
            once.then(|| need("profile.ttl_mode = \"once\"", (7, 0), (7, 0))),
            guard.then(|| need("profile.newest_wins", (7, 0), (7, 0))),
            field_ttl.then(|| need("profile.field_ttl", (7, 4), (9, 0))),
        ]
        .into_iter()
        .flatten()
    }
}
