//! Verdicts: what a write came to, and refusals that no row of the error table explains. Pure.

use redis::ServerError;

use crate::redis::errors::Class;

/// Why a write is not confirmed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::redis) enum Unconfirmed<'a> {
    /// The server refused it.
    Error(&'a ServerError),
    /// A reply that this write cannot have: replies and writes no longer match.
    Mismatch,
}

/// Whether a confirmed write changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) enum Applied {
    Yes,
    /// There was no key to delete.
    Absent,
    /// All that it would change is newer already.
    Stale,
}

/// Redis's answer to one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Redis replied OK.
    Written,
    /// Redis replied OK: there was no key to delete.
    Absent,
    /// Redis replied OK: all that the write would change is newer already.
    Stale,
    /// Redis refuses this write for good: the key holds another type.
    WrongType,
    /// Redis refuses this write for good for another reason.
    Refused,
    /// Refused with a text that is not in the table of errors: because of this write, or because of
    /// the server.
    Unexplained(UnexplainedRefusal),
    /// Not written; to be tried again after what the class asks for.
    Retry(Class),
    /// Perhaps written: it was sent, and the connection was lost before the reply. The connection
    /// is fenced before anything is sent again.
    Unknown,
}

impl Verdict {
    /// Whether Redis confirmed the write.
    pub fn is_confirmed(self) -> bool {
        matches!(self, Self::Written | Self::Absent | Self::Stale)
    }
}

/// A refusal whose text is not in the table of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnexplainedRefusal {
    /// Equal for refusals with the same text, from whichever server; `None`: the text speaks of the
    /// server.
    pub text: Option<u64>,
    /// Equal for the same server.
    pub server: u64,
    /// Writes that this server had taken before, from all lanes that share its connector.
    pub taken: u64,
}
