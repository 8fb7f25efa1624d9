//! `HSET key name value ..`. Pure.

use redis::Value;

use super::expire::Expire;
use super::packed::{PackedCommands, push_bulk};
use super::verdict::Unconfirmed;
use super::write::Part;

/// Fields of a hash to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashWrite {
    /// Pairs of a name and a value in the payload; at least one.
    pub fields: u32,
    /// The end of the key.
    pub expire: Option<Expire>,
}

impl HashWrite {
    pub(super) fn join(self, later: Self) -> Self {
        Self { fields: self.fields + later.fields, expire: Expire::join(self.expire, later.expire) }
    }

    pub(super) fn pack<'a>(
        self,
        key: &[u8],
        parts: impl Iterator<Item = Part<'a>>,
        out: &mut PackedCommands,
    ) {
        out.begin(2 + 2 * u64::from(self.fields), b"$4\r\nHSET\r\n");
        out.push_key(key);
        parts.for_each(|part| out.push(part.payload));
        out.end();
    }

    pub(super) fn judge(self, replies: &[Value]) -> Result<(), Unconfirmed<'_>> {
        match replies {
            [Value::Int(_)] => Ok(()),
            [Value::ServerError(error)] => Err(Unconfirmed::Error(error)),
            _ => Err(Unconfirmed::Mismatch),
        }
    }

    pub(super) fn sample(self) -> Vec<u8> {
        let mut payload = Vec::new();
        for field in 0..self.fields {
            push_bulk(&mut payload, format!("f{field}").as_bytes());
            push_bulk(&mut payload, b"0");
        }
        payload
    }
}
