//! How a profile changes and under which key it is: what `[profile]`, `redis.key` and the prefixes
//! say. Pure types: `config` reads them, the others obey them.

mod choices;
mod field_ttl;
mod key_places;
mod key_template;
mod piece;
mod prefix;

use std::time::Duration;

pub use choices::{
    JsonNulls, JsonTraits, NewestWins, Nulls, ProfileMode, Store, Tombstones, TtlMode,
};
pub use field_ttl::FieldTtl;
pub use key_places::KeyPlaces;
pub use key_template::{KeyTemplate, KeyedBy};
pub use piece::fill_in_prefix;
pub use prefix::Prefix;

/// How a profile changes. The defaults are RudderStack's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Always `skip` with JSON documents, which have [`Profile::json_nulls`].
    pub nulls: Nulls,
    pub mode: ProfileMode,
    /// Expiry of the whole key, at least a millisecond and less than 2^46; `None`: none.
    pub ttl: Option<Duration>,
    /// Has an effect only with a TTL.
    pub ttl_mode: TtlMode,
    /// Where the event says its TTL: the names from the event down, at least one; `None`: nowhere.
    pub ttl_path: Option<Vec<String>>,
    pub newest_wins: NewestWins,
    /// With what the names of the guard's own fields begin; never empty.
    pub time_field: String,
    /// By how much an event's time may be later than its arrival.
    pub max_ahead: Duration,
    pub store: Store,
    /// Has an effect only with JSON documents.
    pub json_nulls: JsonNulls,
    /// Has an effect only with JSON documents.
    pub json_traits: JsonTraits,
    /// The first that matches decides.
    pub field_ttl: Vec<FieldTtl>,
    /// `None`: RudderStack's Profiles branch is off.
    pub entities: Option<Entities>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            nulls: Nulls::default(),
            mode: ProfileMode::default(),
            ttl: None,
            ttl_mode: TtlMode::default(),
            ttl_path: None,
            newest_wins: NewestWins::default(),
            time_field: Self::TIME_FIELD.into(),
            max_ahead: Self::MAX_AHEAD,
            store: Store::default(),
            json_nulls: JsonNulls::default(),
            json_traits: JsonTraits::default(),
            field_ttl: Vec::new(),
            entities: None,
        }
    }
}

impl Profile {
    /// Default of `profile.time_field`.
    pub const TIME_FIELD: &str = "_ts";
    /// Default of `profile.max_ahead`.
    pub const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);

    /// Whether older events are kept from overwriting newer ones.
    pub fn is_guarded(&self) -> bool {
        self.newest_wins != NewestWins::Off
    }
}

/// What stands in the keys of RudderStack's Profiles branch: neither is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entities {
    pub workspace_id: String,
    pub destination_id: String,
}

impl Entities {
    /// What all keys of entities begin with: `WORKSPACE:DESTINATION:`.
    pub fn key_start(&self) -> String {
        format!("{}:{}:", self.workspace_id, self.destination_id)
    }

    /// The key of a user: `WORKSPACE:DESTINATION:ENTITY:IDTYPE:USER`.
    pub fn key(&self, entity: &str, id_type: &str, user: &str) -> String {
        format!("{}{entity}:{id_type}:{user}", self.key_start())
    }
}
