//! Reading one stored profile, for operators. Events are never read back.

use redis::{Cmd, Value};

use super::errors::{Broken, Cause, Trouble, cause, code_and_detail};
use super::link::Redirect;
use super::wire::{Connection, Connector};

/// The largest reply that is read, in bytes: an operator who looks up a profile must not take the
/// memory that events need.
const MOST: usize = 1 << 20;

/// What is stored at one key.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredProfile {
    pub content: ProfileContent,
    /// Seconds until the key expires; `None`: it does not.
    pub ttl: Option<u64>,
}

/// A profile as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub enum ProfileContent {
    /// Names and values of a hash, in the order in which Redis tells them.
    Fields(Vec<(Vec<u8>, Vec<u8>)>),
    /// The text of a JSON document.
    Document(String),
}

/// Why a profile was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The server cannot be asked, or refuses the question.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// The key holds another type than profiles have.
    #[error("the key holds another type than profiles have here")]
    WrongType,
    /// The profile is larger than is read here.
    #[error("the profile is larger than 1 MiB: read it with `redis-cli`")]
    TooLarge,
}

/// A node's reply to the question for a profile.
pub(super) enum ProfileReply {
    /// `None`: there is no such key.
    Here(Option<StoredProfile>),
    /// Another node of the cluster has the key.
    Elsewhere(Redirect),
}

/// Asks the server for the profile at `key`, on a connection of its own; behind an ASKING when
/// `asking`.
pub(super) async fn read(
    connector: &Connector,
    key: &[u8],
    asking: bool,
) -> Result<ProfileReply, ReadError> {
    let mut connection = connector.connect().await?.with_reply_limit(MOST);
    let (mut packed, mut count) = (Vec::new(), 0);
    for command in connector.forms().read_commands() {
        if asking {
            redis::cmd("ASKING").write_packed_command(&mut packed);
            count += 1;
        }
        Cmd::new().arg(command).arg(key).write_packed_command(&mut packed);
        count += 1;
    }
    let mut replies = Vec::with_capacity(count);
    connection.exchange(&packed, count, &mut replies).await.map_err(|broken| match broken {
        Broken::TooLarge => ReadError::TooLarge,
        broken => Trouble::from(broken).into(),
    })?;
    if asking {
        let mut at = 0..;
        replies.retain(|_| at.next().is_some_and(|at: usize| at % 2 == 1));
    }
    judge(connector, &connection, replies)
}

fn judge(
    connector: &Connector,
    connection: &Connection,
    replies: Vec<Value>,
) -> Result<ProfileReply, ReadError> {
    for reply in &replies {
        let Value::ServerError(error) = reply else { continue };
        let (code, detail) = code_and_detail(error);
        return match Redirect::read(code, detail).filter(|_| connector.in_cluster()) {
            Some(redirect) => Ok(ProfileReply::Elsewhere(redirect)),
            None if cause(code, detail) == Cause::WrongType => Err(ReadError::WrongType),
            None => Err(connection.trouble(error).into()),
        };
    }
    let malformed = |_| Trouble::from(Broken::Malformed);
    let [content, ttl]: [Value; 2] =
        replies.try_into().map_err(|_| Trouble::from(Broken::Malformed))?;
    let content = if connector.forms().writes_documents() {
        let text: Option<String> = redis::from_redis_value(content).map_err(malformed)?;
        text.map(ProfileContent::Document)
    } else {
        let fields: Vec<_> = redis::from_redis_value(content).map_err(malformed)?;
        // A hash without fields does not exist.
        (!fields.is_empty()).then_some(ProfileContent::Fields(fields))
    };
    let ttl: i64 = redis::from_redis_value(ttl).map_err(malformed)?;
    // Negative: no end, or it came between the two replies.
    let ttl = u64::try_from(ttl).ok();
    Ok(ProfileReply::Here(content.map(|content| StoredProfile { content, ttl })))
}
