//! Lua scripts: how one is loaded and called. Pure.

use sha1::{Digest, Sha1};

use super::packed::{PackedCommands, push_bulk};

/// A script with the name under which a server keeps it.
#[derive(Debug)]
pub struct Script {
    source: &'static str,
    sha: String,
    /// `EVALSHA sha 1`, packed.
    call: Vec<u8>,
}

impl Script {
    pub(super) fn new(source: &'static str) -> Self {
        let sha: String = Sha1::digest(source).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut call = Vec::new();
        for word in ["EVALSHA", &sha, "1"] {
            push_bulk(&mut call, word.as_bytes());
        }
        Self { source, sha, call }
    }

    pub fn source(&self) -> &'static str {
        self.source
    }

    /// The SHA-1 of the source, 40 hexadecimal digits: what a server replies to `SCRIPT LOAD`.
    pub fn sha(&self) -> &str {
        &self.sha
    }

    /// `SCRIPT LOAD` with the source, packed.
    pub fn load(&self) -> Vec<u8> {
        let mut packed = b"*3\r\n".to_vec();
        for word in ["SCRIPT", "LOAD", self.source] {
            push_bulk(&mut packed, word.as_bytes());
        }
        packed
    }

    /// Begins the call for one packed `key`, with so many arguments, which follow.
    pub(super) fn begin(&self, key: &[u8], arguments: u64, out: &mut PackedCommands) {
        out.begin(4 + arguments, &self.call);
        out.push_key(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_what_a_client_would_send() {
        let script = Script::new("return ARGV[1]");
        let mut out = PackedCommands::default();
        script.begin(b"$1\r\nk\r\n", 1, &mut out);
        out.push(b"$1\r\na\r\n");
        out.end();
        let mut expected = redis::cmd("EVALSHA");
        // As `printf %s 'return ARGV[1]' | sha1sum` says.
        expected.arg("098e0f0d1448c0a81dafe820f66d460eb09263da").arg(1).arg("k").arg("a");
        assert_eq!(out.bytes(), expected.get_packed_command());
        assert_eq!(&out.bytes()[out.last_key()], b"k");
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg("return ARGV[1]");
        assert_eq!(script.load(), load.get_packed_command());
    }
}
