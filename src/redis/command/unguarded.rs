//! Replacing and deleting a hash without the guard, as scripts that leave keys of other types
//! alone. Redis 4 and newer. Pure.

use std::sync::LazyLock;

use redis::Value;

use super::expire::Expire;
use super::field_ttls::{self, FieldTtls};
use super::folded::Folded;
use super::packed::PackedCommands;
use super::part::UpdatePart;
use super::script::Script;
use super::verdict::{Applied, Unconfirmed};
use crate::profile::FieldTtl;

static REPLACE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("replace.lua")));
static DELETE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("delete.lua")));

/// The fields that a hash has afterwards. Its TTL stays as it is. Redis replies their number, or an
/// error with the code that `HSET` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplaceWrite {
    /// Pairs of a name and a value in the payload; at least one, no name twice.
    pub fields: u32,
    /// The end of the key.
    pub expire: Option<Expire>,
}

impl ReplaceWrite {
    /// The commands that an ACL must allow, those inside the script, too.
    pub const ACL: &str = "+evalsha +script|load +hdel +hkeys +hlen +hset";

    /// The script that a server must have.
    pub fn script() -> &'static Script {
        &REPLACE
    }

    /// The later payload is all that is left.
    pub(super) fn join(self, later: Self) -> Self {
        Self { fields: later.fields, expire: Expire::join(self.expire, later.expire) }
    }

    /// Appends one command. `key` is one packed word; `payload` is packed names and values.
    pub fn pack(self, key: &[u8], payload: Option<&[u8]>, out: &mut PackedCommands) {
        REPLACE.begin(key, 2 * u64::from(self.fields), out);
        payload.into_iter().for_each(|pairs| out.push(pairs));
        out.end();
    }

    /// The same for the last of several updates, and then the TTLs of its fields by `rules`.
    pub(super) fn pack_last(
        self,
        rules: &[FieldTtl],
        key: &[u8],
        part: Option<UpdatePart<'_>>,
        out: &mut PackedCommands,
    ) {
        self.pack(key, part.as_ref().map(|part| part.payload), out);
        if !rules.is_empty() {
            FieldTtls::of(rules, Folded::of(part.into_iter()).set_names()).pack(key, out);
        }
    }

    pub(super) fn judge(self, replies: &[Value]) -> Result<(), Unconfirmed<'_>> {
        match replies {
            [Value::Int(_), ttls @ ..] => ttls.iter().try_for_each(field_ttls::judge),
            [Value::ServerError(error), ..] => Err(Unconfirmed::Error(error)),
            _ => Err(Unconfirmed::Mismatch),
        }
    }
}

/// The removal of a key that holds a hash. Redis replies 1, 0 when there is no key, and an error
/// `WRONGTYPE` when it holds another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDeletion {
    /// The key may hold a JSON document, too.
    pub json: bool,
}

impl KeyDeletion {
    /// The commands that an ACL must allow, those inside the script, too.
    pub const ACL: &str = "+evalsha +script|load +type +unlink";

    /// The script that a server must have.
    pub fn script() -> &'static Script {
        &DELETE
    }

    /// Appends one command. `key` is one packed word.
    pub fn pack(self, key: &[u8], out: &mut PackedCommands) {
        DELETE.begin(key, 1, out);
        // The type of the module RedisJSON.
        out.push_word(if self.json { b"ReJSON-RL" } else { b"" });
        out.end();
    }

    pub(super) fn judge(self, replies: &[Value]) -> Result<Applied, Unconfirmed<'_>> {
        match replies {
            [Value::Int(0)] => Ok(Applied::Absent),
            [Value::Int(_)] => Ok(Applied::Yes),
            [Value::ServerError(error)] => Err(Unconfirmed::Error(error)),
            _ => Err(Unconfirmed::Mismatch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_one_call() {
        let call = |script: &Script, arguments: &[&str]| {
            let mut call = redis::cmd("EVALSHA");
            call.arg(script.sha()).arg(1).arg("k").arg(arguments).get_packed_command()
        };
        let mut out = PackedCommands::default();
        let payload = b"$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n";
        let replace = ReplaceWrite { fields: 2, expire: None };
        replace.pack(b"$1\r\nk\r\n", Some(payload), &mut out);
        KeyDeletion { json: false }.pack(b"$1\r\nk\r\n", &mut out);
        KeyDeletion { json: true }.pack(b"$1\r\nk\r\n", &mut out);
        assert_eq!(out.command(0), call(&REPLACE, &["a", "1", "b", "2"]));
        assert_eq!(out.command(1), call(&DELETE, &[""]));
        assert_eq!(out.command(2), call(&DELETE, &["ReJSON-RL"]));
    }
}
