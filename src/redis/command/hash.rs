//! `HSET key name value ..`. Pure.

use redis::Value;

use super::packed::{PackedCommands, push_bulk};
use super::verdict::Unconfirmed;

/// Fields of a hash to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashWrite {
    /// Pairs of a name and a value in the payload; at least one.
    pub fields: u32,
}

impl HashWrite {
    pub(super) const ACL: &str = "+hset";

    pub(super) fn join(self, later: Self) -> Self {
        Self { fields: self.fields + later.fields }
    }

    pub(super) fn pack<'a>(
        self,
        key: &[u8],
        payload: impl Iterator<Item = &'a [u8]>,
        out: &mut PackedCommands,
    ) {
        out.begin(2 + 2 * u64::from(self.fields), b"$4\r\nHSET\r\n");
        out.push_key(key);
        payload.for_each(|part| out.push(part));
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
