//! Whether a server takes writes: PING does not tell.
//!
//! A replica, a full server, one without its replicas and one whose ACL denies HSET all answer PING. A write that is queued in a
//! transaction and discarded passes every check of Redis's except that of the key's type, and changes nothing.

use redis::Value;

use super::{Broken, Connection, QueryError};

/// Asks without writing whether HSET to `key` would be taken now.
///
/// # Errors
/// Why not. Where transactions are denied or unknown, or only this key is, that it answers is all that can be known, and enough.
pub(super) async fn ask(connection: &mut Connection, key: &str) -> Result<(), QueryError> {
    match connection.query(&redis::cmd("MULTI")).await {
        Ok(_) => {}
        Err(QueryError::Reply { code, .. }) if matches!(code.as_str(), "NOPERM" | "ERR") => return ping(connection).await,
        Err(error) => return Err(error),
    }
    let mut packed = redis::cmd("HSET").arg(key).arg("").arg("").get_packed_command();
    packed.extend(redis::cmd("DISCARD").get_packed_command());
    let mut replies = Vec::with_capacity(2);
    connection.exchange(&packed, 2, &mut replies).await?;
    match replies.as_slice() {
        [Value::ServerError(refusal), Value::Okay] if refusal.code() == "NOPERM" && denies_key(refusal.details()) => Ok(()),
        [Value::ServerError(refusal), Value::Okay] => Err(QueryError::reply(refusal)),
        [Value::SimpleString(_), Value::Okay] => Ok(()),
        // Who cannot leave a transaction must not write on this connection: nothing would ever be executed.
        [_, Value::ServerError(refusal)] => Err(QueryError::reply(refusal)),
        _ => Err(Broken::Malformed.into()),
    }
}

/// Events may have other prefixes: whether their keys are denied, only they can tell.
fn denies_key(detail: Option<&str>) -> bool {
    detail.is_some_and(|detail| detail.to_ascii_lowercase().contains(" key"))
}

async fn ping(connection: &mut Connection) -> Result<(), QueryError> {
    match connection.query(&redis::cmd("PING")).await {
        // An ACL without PING still answers.
        Err(QueryError::Reply { code, .. }) if code == "NOPERM" => Ok(()),
        other => other.map(drop),
    }
}
