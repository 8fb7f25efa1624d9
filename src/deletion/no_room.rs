//! The limits on what is kept. Pure.

/// Why a regulation is not accepted. Nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// `deletion.max_suppressed` users are known already.
    Suppressions,
    /// Too many users wait for their deletion.
    Waiting,
}
