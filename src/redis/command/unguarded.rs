//! Replacing and deleting a hash without the guard, as scripts that leave keys of other types
//! alone. Redis 4 and newer. Pure.

use std::sync::LazyLock;

use super::packed::PackedCommands;
use super::script::Script;

static REPLACE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("replace.lua")));
static DELETE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("delete.lua")));

/// The fields that a hash has afterwards. Its TTL stays as it is. Redis replies their number, or an
/// error with the code that `HSET` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplaceWrite {
    /// Pairs of a name and a value in the payload; at least one, no name twice.
    pub fields: u32,
}

impl ReplaceWrite {
    /// The commands that an ACL must allow, those inside the script, too.
    pub const ACL: &str = "+evalsha +script|load +hdel +hkeys +hlen +hset";

    /// The script that a server must have.
    pub fn script() -> &'static Script {
        &REPLACE
    }

    /// Appends one command. `key` is one packed word; `payload` are packed names and values.
    pub fn pack<'a>(
        self,
        key: &[u8],
        payload: impl Iterator<Item = &'a [u8]>,
        out: &mut PackedCommands,
    ) {
        REPLACE.begin(key, 2 * u64::from(self.fields), out);
        payload.for_each(|piece| out.push(piece));
        out.end();
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
        let payload: [&[u8]; 2] = [b"$1\r\na\r\n$1\r\n1\r\n", b"$1\r\nb\r\n$1\r\n2\r\n"];
        ReplaceWrite { fields: 2 }.pack(b"$1\r\nk\r\n", payload.into_iter(), &mut out);
        KeyDeletion { json: false }.pack(b"$1\r\nk\r\n", &mut out);
        KeyDeletion { json: true }.pack(b"$1\r\nk\r\n", &mut out);
        assert_eq!(out.command(0), call(&REPLACE, &["a", "1", "b", "2"]));
        assert_eq!(out.command(1), call(&DELETE, &[""]));
        assert_eq!(out.command(2), call(&DELETE, &["ReJSON-RL"]));
    }
}
