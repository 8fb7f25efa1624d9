//! How JSON documents are made of traits.

use crate::profile::{JsonNulls, JsonTraits, Profile, ProfileMode, Store};

/// The settings of profiles that are JSON documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DocumentRules {
    pub traits: JsonTraits,
    /// A number that is too large for a double counts as null, as it does for JavaScript.
    pub nulls: JsonNulls,
    /// The document becomes exactly the event's traits, instead of being merged with them.
    pub replace: bool,
}

impl DocumentRules {
    /// `None`: profiles are no documents.
    pub fn of(profile: &Profile) -> Option<Self> {
        (profile.store == Store::Json).then_some(Self {
            traits: profile.json_traits,
            nulls: profile.json_nulls,
            replace: profile.mode == ProfileMode::Replace,
        })
    }
}
