//! Prefixes of Redis keys.

/// What stands before the rest of a key, and how an event may choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefix {
    /// The same for all events, trimmed as JavaScript trims; empty: none.
    Fixed(String),
    /// What the event says, `{{ event.path || default }}`.
    Dynamic {
        /// Where the event says it: the names from the event down, at least one. What is found
        /// there is no part of the profile.
        path: Vec<String>,
        /// For events that do not say it: trimmed, without quotes; empty: none.
        default: String,
    },
}

impl Prefix {
    /// The prefix of events that do not say any.
    pub fn default_text(&self) -> &str {
        match self {
            Self::Fixed(text) | Self::Dynamic { default: text, .. } => text,
        }
    }
}
