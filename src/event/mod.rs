//! From bytes to an update: splitting messages, reading the envelope, flattening traits. Pure: no
//! I/O, no tokio.
//!
//! [`split()`] finds the events of an HTTP body, [`events_of`] those of a Kafka value or of a line;
//! [`Transformer::transform`] decides on one event, and [`Transformer::transform_bare`] on a Kafka
//! value or line that is one. The common path makes one pass over the text (`scan`) and one over
//! the traits, and allocates only the finished [`Update`]. It leaves every unusual
//! event (a path that occurs twice, an array of objects, a lone surrogate, a limit that is
//! exceeded) to the path in `literal`, which follows the JavaScript original step by step. Only
//! `literal` rejects an event because of a limit.

mod bulk;
mod document;
mod document_rules;
mod entity_places;
mod envelope;
mod event_kind;
mod explained_profile;
mod explanation;
mod field_map;
mod flatten;
mod guard_time;
mod integrations;
mod js;
mod json;
mod key_rules;
mod literal;
mod no_update;
mod open_brackets;
mod profile_rules;
mod reason;
mod scan;
mod shapes;
mod split;
mod time;
mod time_text;
mod transform;
mod ttl;
mod unprefixed;
mod update;
mod user_id;
mod without;
mod wrapper;

use crate::profile::Entities;

pub use document_rules::DocumentRules;
pub use entity_places::EntityName;
pub use explanation::Explanation;
pub use guard_time::{GuardTime, TimeFrom};
pub use js::trim_js;
pub use key_rules::KeyRules;
pub use profile_rules::{GuardRules, ProfileRules};
pub use reason::{RejectReason, SkipReason};
pub use shapes::{events_of, is_blank};
pub use split::{Body, Elements, SplitError, split};
pub use transform::Transformer;
pub use unprefixed::prefix_of;
pub use update::{Action, Expiry, Update};
pub use user_id::user_id_text;
pub use wrapper::untyped;

use crate::profile::Prefix;

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
    /// Under which keys profiles are.
    pub keys: KeyRules,
    /// A `track` event of exactly this name deletes its user; `None`: none does.
    pub deletion_event: Option<String>,
    /// A Kafka record without a value deletes the user that is its key; else it is skipped.
    pub tombstones_delete: bool,
    /// Profiles are JSON documents; `None`: they are hashes.
    pub documents: Option<DocumentRules>,
    /// Events of RudderStack's Profiles branch become profiles of entities; `None`: they are events
    /// like any other.
    pub entities: Option<Entities>,
    /// How a profile changes.
    pub profile: ProfileRules,
}

impl Rules {
    /// Limits and a destination; all other rules are the defaults.
    pub fn new(limits: Limits, destination: impl Into<String>) -> Self {
        Self {
            limits,
            destination: destination.into(),
            keys: KeyRules::default(),
            deletion_event: None,
            tombstones_delete: false,
            documents: None,
            entities: None,
            profile: ProfileRules::default(),
        }
    }
}

/// Facts about an event that its source knows, besides its text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// The prefix of the Redis key.
    pub prefix: &'a Prefix,
    /// The type that an HTTP path for one event imposes; replaces the event's own.
    pub path_type: Option<&'static str>,
    /// The event may be in a wrapper, because it does not come from an SDK.
    pub wrapped: bool,
    /// The event may delete its user ([`Rules::deletion_event`]).
    pub may_delete: bool,
    /// The text is no event but the id of a user to be deleted, as it stands: the key of a Kafka
    /// record without a value.
    pub is_tombstone: bool,
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
