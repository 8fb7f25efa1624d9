//! What became of one write.

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

/// What became of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Redis replied OK.
    Written,
    /// Redis refuses this write for good: the key holds another type.
    WrongType,
    /// Redis refuses this write for good for another reason.
    Refused,
    /// Refused with a text that nobody knows: because of this write, or because of the server.
    Unexplained(UnexplainedRefusal),
    /// Not written; to be tried again after what the class asks for.
    Retry(Class),
    /// Sent, and the connection was lost before the reply: perhaps written. The connection is
    /// fenced before anything is sent again.
    Unknown,
}

/// What is known about a refusal that nobody can explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnexplainedRefusal {
    /// Equal for refusals with the same text, whichever server it came from; none when the text
    /// speaks of the server.
    pub text: Option<u64>,
    /// Equal for the same server.
    pub server: u64,
    /// Writes that this server had taken before, of all lanes that share its connector.
    pub taken: u64,
}
