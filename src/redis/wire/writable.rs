//! Asks whether a server takes writes.
//!
//! A reply to PING does not show it: a replica, a full server, a server without its replicas and a
//! server whose ACL denies writes all reply. A write that is queued in a transaction and discarded
//! passes every check of Redis's except that of the key's type, and changes nothing.

use redis::Value;

use super::connection::Connection;
use crate::redis::command::Writes;
use crate::redis::errors::{Broken, QueryError, code_and_detail, refusal};

/// How a server is asked: with less and less, where it hangs up on more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) enum Question {
    /// With a write in a transaction that is discarded.
    Transaction,
    Ping,
    /// Nothing is sent: is the connection still open?
    Connection,
}

impl Question {
    /// The question for a server that hangs up on this one.
    pub(in crate::redis) const fn less(self) -> Option<Self> {
        match self {
            Self::Transaction => Some(Self::Ping),
            Self::Ping => Some(Self::Connection),
            Self::Connection => None,
        }
    }
}

/// Whether a write would be taken, as far as that can be known without writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) enum Writable {
    Yes,
    /// The ACL denies the key that was asked about; other keys may be taken.
    OtherKeys,
    /// The server answers; more cannot be known. `forbidden`: an ACL is the reason, which may
    /// change at any time.
    Unknown {
        forbidden: bool,
    },
}

/// Asks without writing whether such writes as the `samples` would be taken now.
///
/// # Errors
/// Why they would not. [`Broken::Closed`], [`Broken::Io`] and [`Broken::Unfinished`]: the question
/// itself may be the reason.
pub(in crate::redis) async fn ask(
    connection: &mut Connection,
    samples: &Writes,
    question: Question,
) -> Result<Writable, QueryError> {
    match question {
        Question::Transaction => {}
        Question::Ping => return ping(connection, false).await,
        Question::Connection => {
            connection.still_open().await?;
            return Ok(Writable::Unknown { forbidden: false });
        }
    }
    let mut replies = Vec::with_capacity(2);
    connection.exchange(&redis::cmd("MULTI").get_packed_command(), 1, &mut replies).await?;
    if let Some(Value::ServerError(refusal)) = replies.first() {
        let (code, detail) = code_and_detail(refusal);
        if refusal::concerns_all(code, detail) {
            return Err(QueryError::Reply(connection.trouble(refusal)));
        }
        return ping(connection, code == "NOPERM").await;
    }
    let mut packed = [samples.packed(), samples.packed_follow_ups()].concat();
    packed.extend(redis::cmd("DISCARD").get_packed_command());
    replies.clear();
    connection.exchange(&packed, samples.replies() + 1, &mut replies).await?;
    let Some((left, queued)) = replies.split_last() else { return Err(Broken::Malformed.into()) };
    match left {
        Value::Okay => {}
        // A connection that cannot leave a transaction must not be written on: nothing would ever
        // be executed.
        Value::ServerError(refusal) => {
            let (code, detail) = code_and_detail(refusal);
            return match refusal::concerns_all(code, detail) {
                true => Err(QueryError::Reply(connection.trouble(refusal))),
                false => Err(Broken::Unfinished.into()),
            };
        }
        _ => return Err(Broken::Malformed.into()),
    }
    for reply in queued {
        match reply {
            Value::SimpleString(_) => {}
            Value::ServerError(refusal) => {
                let (code, detail) = code_and_detail(refusal);
                return match () {
                    () if code == "NOPERM" && denies_key(detail) => Ok(Writable::OtherKeys),
                    () if refusal::concerns_write(code, detail) => {
                        Err(QueryError::Reply(connection.trouble(refusal)))
                    }
                    () => Ok(Writable::Unknown { forbidden: false }),
                };
            }
            _ => return Err(Broken::Malformed.into()),
        }
    }
    Ok(Writable::Yes)
}

/// Whether the ACL denies the key: events may have other prefixes, whose keys it allows.
fn denies_key(detail: &str) -> bool {
    detail.to_ascii_lowercase().contains(" key")
}

/// A server that does not know PING, or whose ACL denies it, still answers.
async fn ping(connection: &mut Connection, forbidden: bool) -> Result<Writable, QueryError> {
    let mut replies = Vec::with_capacity(1);
    connection.exchange(&redis::cmd("PING").get_packed_command(), 1, &mut replies).await?;
    match replies.first() {
        Some(Value::ServerError(error))
            if refusal::concerns_all(error.code(), error.details().unwrap_or_default()) =>
        {
            Err(QueryError::Reply(connection.trouble(error)))
        }
        _ => Ok(Writable::Unknown { forbidden }),
    }
}
