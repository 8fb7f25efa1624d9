//! Reading one stored profile, for operators. Events are never read back.

use redis::{Cmd, Value};

use super::errors::{Broken, Trouble, code_and_detail};
use super::link::Redirect;
use super::wire::{Connection, Connector};

/// The largest reply that is read, in bytes: an operator who looks up a profile must not take the
/// memory that events need.
const MOST: usize = 1 << 20;

/// The hash of one key.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredProfile {
    /// Names and values, in the order in which Redis tells them.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// Seconds until the key expires; `None`: it does not.
    pub ttl: Option<u64>,
}

/// Why a profile was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The server cannot be asked, or refuses the question.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// The key holds another type than a hash.
    #[error("the key holds another type than a hash")]
    WrongType,
    /// The hash is larger than is read here.
    #[error("the profile is larger than 1 MiB: read it with `redis-cli HGETALL`")]
    TooLarge,
}

/// A node's reply to the question for a profile.
pub(super) enum ProfileReply {
    /// `None`: there is no such key.
    Here(Option<StoredProfile>),
    /// Another node of the cluster has the key.
    Elsewhere(Redirect),
}

/// Asks the server for the hash at `key`, on a connection of its own; behind an ASKING when
/// `asking`.
pub(super) async fn read(
    connector: &Connector,
    key: &[u8],
    asking: bool,
) -> Result<ProfileReply, ReadError> {
    let mut connection = connector.connect().await?.with_reply_limit(MOST);
    let (mut packed, mut count) = (Vec::new(), 0);
    for command in ["HGETALL", "TTL"] {
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
            None if code == "WRONGTYPE" => Err(ReadError::WrongType),
            None => Err(connection.trouble(error).into()),
        };
    }
    let malformed = |_| Trouble::from(Broken::Malformed);
    let [hash, ttl]: [Value; 2] =
        replies.try_into().map_err(|_| Trouble::from(Broken::Malformed))?;
    let fields: Vec<(Vec<u8>, Vec<u8>)> = redis::from_redis_value(hash).map_err(malformed)?;
    let ttl: i64 = redis::from_redis_value(ttl).map_err(malformed)?;
    // A hash without fields does not exist. Negative: no end, or it came between the two replies.
    let ttl = u64::try_from(ttl).ok();
    Ok(ProfileReply::Here((!fields.is_empty()).then_some(StoredProfile { fields, ttl })))
}
