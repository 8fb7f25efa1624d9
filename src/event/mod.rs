//! From bytes to an update: splitting messages, reading the envelope, flattening traits. Pure: no
//! I/O, no tokio.
//!
//! [`split()`] finds the events of an HTTP body, [`events_of`] those of a Kafka value or of a line;
//! [`Transformer::transform`] decides on one event. The common path makes one pass over the text
//! and one over the traits, and allocates only the finished [`Update`]. It leaves every unusual
//! event (a path that occurs twice, an array of objects, a lone surrogate, a limit that is
//! exceeded) to the path in `literal`, which follows the JavaScript original step by step. Only
//! `literal` rejects an event because of a limit.

mod envelope;
mod explained_profile;
mod explanation;
mod field_map;
mod field_ttl;
mod flatten;
mod guard_time;
mod integrations;
mod js;
mod json;
mod key;
mod literal;
mod profile_rules;
mod reason;
mod shapes;
mod split;
mod time;
mod time_text;
mod transform;
mod ttl;
mod update;
mod user_id;
mod wrapper;

pub use explanation::Explanation;
pub use field_ttl::FieldTtl;
pub use guard_time::{GuardTime, TimeFrom};
pub use js::trim_js;
pub use key::push_key_start;
pub use profile_rules::{GuardRules, ProfileRules};
pub use reason::{RejectReason, SkipReason};
pub use shapes::{events_of, is_blank};
pub use split::{Body, Elements, SplitError, split};
pub use transform::Transformer;
pub use update::{Action, Expiry, Update};
pub use wrapper::untyped;

/// Limits for one event. An event beyond a limit is rejected with the reason of the same name.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one event's text.
    pub max_event: usize,
    /// Levels below `traits` (or `context.traits`), 1..=[`Limits::DEEPEST`]. A flat trait is level
    /// 1; arrays count, too.
    pub max_depth: usize,
    /// Fields of one update.
    pub max_fields: usize,
    /// Bytes of the Redis key.
    pub max_key: usize,
    /// Bytes of a flattened path.
    pub max_field_name: usize,
    /// Bytes of one update's names and values together; beyond it the reason is `too_large`. A
    /// nested name repeats the names of its parents, so a small text can become a large update.
    pub max_update: usize,
}

impl Limits {
    /// The largest `max_depth`: deeper recursion could overflow a thread's stack.
    pub const DEEPEST: usize = 1000;
}

/// The settings of the transform.
#[derive(Debug, Clone)]
pub struct Rules {
    pub limits: Limits,
    /// The name that is looked up in an event's `integrations`.
    pub destination: String,
    /// How a profile changes.
    pub profile: ProfileRules,
}

impl Rules {
    /// Limits and a destination; all other rules are the defaults.
    pub fn new(limits: Limits, destination: impl Into<String>) -> Self {
        Self { limits, destination: destination.into(), profile: ProfileRules::default() }
    }
}

/// Facts about an event that its source knows, besides its text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// The prefix of the Redis key, without white space at both ends ([`trim_js`]); may be empty.
    pub prefix: &'a str,
    /// The type that an HTTP path for one event imposes; replaces the event's own.
    pub path_type: Option<&'a str>,
    /// The event may be in a wrapper, because it does not come from an SDK.
    pub wrapped: bool,
    /// When the event came to us.
    pub arrival: Arrival,
    /// The event's `receivedAt` is believed: it was set by a gateway, not by a client.
    pub gateway: bool,
    /// The raw JSON text of the `sentAt` of the batch that holds the event.
    pub sent_at: Option<&'a str>,
    /// The time on our clock, in milliseconds since the epoch. It is looked at only when
    /// [`ProfileRules::needs_clock`].
    pub now: i64,
}

/// What is known of the time at which an event came to us. Times are in milliseconds since the
/// epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrival {
    /// It comes now.
    #[default]
    Now,
    /// Something else took it before us, at this time.
    At(i64),
    /// It stood in a file: nobody knows for how long.
    Unknown,
    /// It came before, and this is what [`Update::at`] was then.
    Decided(i64),
}

/// The decision on one event.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    Update(Update),
    Skipped(SkipReason),
    Rejected(RejectReason),
}
