//! A connection that broke.

use std::io;
use std::time::Duration;

/// The connection is of no use any more; what it was asked to do may or may not have been done.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("no reply for {0:?}")]
    Timeout(Duration),
    #[error("the server closed the connection")]
    Closed,
    #[error("{0}")]
    Io(io::Error),
    #[error("the answer is not Redis'")]
    Malformed,
    #[error("the answer is TLS")]
    Tls,
    #[error("the reply is larger than is read here")]
    TooLarge,
    #[error("an earlier exchange was cut short")]
    Unfinished,
    #[error("what was being sent may no longer be written")]
    Withdrawn,
}

impl Broken {
    /// The server closed the connection, perhaps because of what it was sent.
    pub(in crate::redis) fn is_hang_up(&self) -> bool {
        matches!(self, Self::Closed | Self::Io(_) | Self::Unfinished)
    }
}
