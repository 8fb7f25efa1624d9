//! The write forms: what can be written to one key. Pure.
//!
//! A new form is a variant of [`Write`], with a type that knows its commands as [`HashWrite`] does.
//! The variant is added to `Write::forms`, too. The compiler names the other places in this file,
//! and none outside of it: see "Add a write form" in `CONTRIBUTING.md`.

use redis::Value;

use super::hash::HashWrite;
use super::packed::PackedCommands;
use super::verdict::Unconfirmed;

/// A write to one key. The payload, packed by the event, stays where it is: a form holds
/// only what else its commands need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Sets fields of a hash. The payload is the packed names and values.
    Hash(HashWrite),
}

impl Write {
    /// Every form, with `fields` fields where a form has fields.
    pub(in crate::redis) fn forms(fields: u32) -> impl Iterator<Item = Self> {
        [Self::Hash(HashWrite { fields })].into_iter()
    }

    /// This write and a `later` one to the same key as one write with both payloads; `None`: they
    /// cannot be one, and the later write waits for the next batch.
    pub fn join(self, later: Self) -> Option<Self> {
        match (self, later) {
            (Self::Hash(first), Self::Hash(later)) => Some(Self::Hash(first.join(later))),
        }
    }

    /// Appends the commands. `key` is one packed bulk string; `payload` is that of each update that
    /// was joined, in order. Each command has one reply.
    pub(super) fn pack<'a>(
        self,
        key: &[u8],
        payload: impl Iterator<Item = &'a [u8]>,
        out: &mut PackedCommands,
    ) {
        match self {
            Self::Hash(hash) => hash.pack(key, payload, out),
        }
    }

    /// Reads the replies, one for each command that was packed.
    pub(in crate::redis) fn judge(self, replies: &[Value]) -> Result<(), Unconfirmed<'_>> {
        match self {
            Self::Hash(hash) => hash.judge(replies),
        }
    }

    /// The permissions that an ACL needs: `+command`, with blanks between several.
    pub(in crate::redis) const fn acl(self) -> &'static str {
        match self {
            Self::Hash(_) => HashWrite::ACL,
        }
    }

    /// A packed payload to ask with whether such a write would be taken.
    pub(super) fn sample(self) -> Vec<u8> {
        match self {
            Self::Hash(hash) => hash.sample(),
        }
    }
}
