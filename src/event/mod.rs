//! From bytes to an update: splitting messages, reading the envelope, flattening traits. Pure: no
//! I/O, no tokio.
//!
//! [`split()`] finds the events of an HTTP body, [`events_of`] those of a Kafka value or of a line;
//! [`Transformer::transform`] decides on one of them. The common path makes one pass over the text
//! and one over the traits and allocates nothing but the finished [`Update`]. Whatever it is not
//! sure of (a path that occurs twice, an array of objects, a lone surrogate, a limit) it leaves to
//! the path in `literal`, which follows the JavaScript original step by step and is the only one
//! that rejects for a limit.

mod envelope;
mod fields;
mod flatten;
mod integrations;
mod js;
mod json;
mod literal;
mod reason;
mod shapes;
mod split;
mod time;
mod transform;
mod update;
mod user_id;
mod wrapper;

pub use js::trim_js;
pub use reason::{RejectReason, SkipReason};
pub use shapes::{events_of, is_blank};
pub use split::{Body, Elements, SplitError, split};
pub use transform::Transformer;
pub use update::Update;
pub use wrapper::untyped;

/// Limits on one event; what exceeds one is rejected with the reason of the same name.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one event's text.
    pub max_event: usize,
    /// Levels below `traits` (or `context.traits`), 1..=[`Limits::DEEPEST`]. A flat trait is level
    /// 1; arrays count as well.
    pub max_depth: usize,
    /// Fields of one update.
    pub max_fields: usize,
    /// Bytes of the Redis key.
    pub max_key: usize,
    /// Bytes of a flattened path.
    pub max_field_name: usize,
    /// Bytes of one update's names and values together; beyond it `too_large`. A nested name
    /// repeats those of its parents, so a small text can become a large update.
    pub max_update: usize,
}

impl Limits {
    /// The largest `max_depth`: deeper recursion could end a thread's stack.
    pub const DEEPEST: usize = 1000;
}

/// What the transform needs to know.
#[derive(Debug, Clone)]
pub struct Rules {
    pub limits: Limits,
    /// The name looked up in `integrations`.
    pub destination: String,
}

/// What a source knows about an event besides its text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// As [`trim_js`] leaves it; empty: none.
    pub prefix: &'a str,
    /// The type that a single-event path imposes; it wins over the body's own.
    pub path_type: Option<&'a str>,
    /// The event may be in a wrapper: it does not come from an SDK.
    pub wrapped: bool,
}

/// What became of one event.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    Update(Update),
    Skipped(SkipReason),
    Rejected(RejectReason),
}
