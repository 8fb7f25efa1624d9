//! What deletes keys: the lanes.

use super::scope::KeyScope;

/// The moment of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionTime {
    /// Nothing that is written by now survives, whatever time it bears. `now` is in milliseconds
    /// since 1970.
    Everything { now: i64 },
    /// What is newer survives, where times are kept. In milliseconds since 1970.
    At(i64),
}

/// What became of the keys of one user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Keys that existed, and are deleted.
    pub keys: u64,
    /// Keys that hold another type than a profile does: they are left.
    pub wrong_type: u64,
    /// Keys whose deletion Redis refuses for good.
    pub refused: u64,
}

/// Why keys are not deleted now: it is tried again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct NotDeleted {
    /// For people, without personal data.
    pub why: String,
}

/// Deletes keys, each in order with the writes of its lane.
pub trait KeyDeleter: Send + Sync + 'static {
    /// The keys that `user` may have in `scope`, each once. Does no input or output.
    fn keys_of(&self, user: &str, scope: &KeyScope) -> Vec<Vec<u8>>;

    /// Deletes `keys`, which may be missing. Returns when each is settled: what was accepted for
    /// one of them before the call is not written after it.
    ///
    /// # Errors
    /// Some may not be deleted: all of them are to be deleted again.
    fn delete(
        &self,
        keys: Vec<Vec<u8>>,
        at: DeletionTime,
    ) -> impl Future<Output = Result<Deleted, NotDeleted>> + Send;
}
