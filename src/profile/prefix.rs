//! Prefixes of Redis keys.

use std::sync::Arc;

/// What stands before the rest of a key, and how an event may choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefix {
    /// The same for all events, trimmed as JavaScript trims; empty: none.
    Fixed(String),
    /// What the event says, `{{ event.path || default }}`.
    Dynamic {
        /// Where the event says it: the names from the event down, at least one. What is found
        /// there is no part of the profile.
        path: Arc<[String]>,
        /// For events that do not say it: trimmed, without quotes; empty: none.
        default: String,
    },
}

impl Prefix {
    /// No prefix.
    pub const NONE: Self = Self::Fixed(String::new());

    /// The prefix of an event that is read again: `text` is the one that it had, trimmed, and
    /// `path` the names, with dots between them, from which it came. The event still holds what was
    /// found there.
    pub fn again(text: &str, path: Option<&str>) -> Self {
        let text = text.to_owned();
        match path {
            Some(path) => {
                Self::Dynamic { path: path.split('.').map(str::to_owned).collect(), default: text }
            }
            None => Self::Fixed(text),
        }
    }

    /// The prefix of events that do not say any.
    pub fn default_text(&self) -> &str {
        match self {
            Self::Fixed(text) | Self::Dynamic { default: text, .. } => text,
        }
    }

    /// Where events say their prefix; `None`: they cannot.
    pub fn path(&self) -> Option<&[String]> {
        match self {
            Self::Fixed(_) => None,
            Self::Dynamic { path, .. } => Some(path),
        }
    }
}

impl Default for &Prefix {
    fn default() -> Self {
        static NONE: Prefix = Prefix::NONE;
        &NONE
    }
}
