//! `PEXPIRE key milliseconds`: the end of a key. Pure.
//!
//! It is sent only after the write to the key was confirmed: a server that refuses HSET because the
//! key holds another type would still take PEXPIRE, and the other type's key would end.

use redis::Value;

use super::packed::{PackedCommands, push_bulk};
use super::verdict::Unconfirmed;
use crate::event::Expiry;

/// An end that is given to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expire {
    pub expiry: Expiry,
    /// Only if the key has none yet (Redis 7).
    pub once: bool,
}

impl Expire {
    pub(super) const ACL: &str = "+pexpire +pexpireat";

    /// The end that two writes to one key come to.
    pub(super) fn join(first: Option<Self>, later: Option<Self>) -> Option<Self> {
        match (first, later) {
            (Some(first), Some(later)) => Some(if first.once { first } else { later }),
            (first, later) => first.or(later),
        }
    }

    pub(super) fn pack(self, key: &[u8], out: &mut PackedCommands) {
        let (name, time): (&[u8], u64) = match self.expiry {
            Expiry::After(time) => (b"$7\r\nPEXPIRE\r\n", time),
            Expiry::At(time) => (b"$9\r\nPEXPIREAT\r\n", time),
        };
        out.begin(if self.once { 4 } else { 3 }, name);
        out.push_key(key);
        let mut words = Vec::with_capacity(32);
        push_bulk(&mut words, itoa::Buffer::new().format(time).as_bytes());
        if self.once {
            push_bulk(&mut words, b"NX");
        }
        out.push(&words);
        out.end();
    }

    /// Reads the reply; 0 is none of an error: the key has an end, or is gone again.
    pub(super) fn judge(reply: &Value) -> Result<(), Unconfirmed<'_>> {
        match reply {
            Value::Int(_) => Ok(()),
            Value::ServerError(error) => Err(Unconfirmed::Error(error)),
            _ => Err(Unconfirmed::Mismatch),
        }
    }
}
