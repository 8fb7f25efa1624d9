//! From bytes to an update: splitting messages, reading the envelope, flattening traits. Pure: no I/O, no tokio.

mod reason;
mod update;

pub use reason::{RejectReason, SkipReason};
pub use update::Update;

/// Limits on one event; what exceeds one is rejected with the reason of the same name.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one event's text.
    pub max_event: usize,
    /// Levels below `traits` (or `context.traits`), 1..=1000.
    pub max_depth: usize,
    /// Fields of one update.
    pub max_fields: usize,
    /// Bytes of the Redis key.
    pub max_key: usize,
    /// Bytes of a flattened path.
    pub max_field_name: usize,
}

/// What the transform needs to know.
#[derive(Debug, Clone)]
pub struct Rules {
    pub limits: Limits,
    /// The name looked up in `integrations`.
    pub destination: String,
}

/// What became of one event.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    Update(Update),
    Skipped(SkipReason),
    Rejected(RejectReason),
}
