//! The write forms: what can be written to one key. Pure.
//!
//! A new form is a variant of [`Write`], with a type that knows its commands as [`HashWrite`] does.
//! The variant is added to [`Forms::samples`](super::Forms), too. The compiler names the other
//! places in this file, and none outside of it: see "Add a write form" in `CONTRIBUTING.md`.

use redis::Value;

use super::document::DocumentWrite;
use super::expire::Expire;
use super::hash::HashWrite;
use super::packed::PackedCommands;
use super::verdict::{Applied, Unconfirmed};

/// A write to one key. The payload, packed by the event, stays where it is: a form holds
/// only what else its commands need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Sets and removes fields of a hash. The payload is the packed names and values, and then the
    /// names that are removed.
    Hash(HashWrite),
    /// Merges or replaces a JSON document. The payload is its packed text, and then the JSONPaths of
    /// members that become null.
    Document(DocumentWrite),
}

/// One of the updates that were joined to one write.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The write for this update alone.
    pub write: Write,
    /// Its packed payload.
    pub payload: &'a [u8],
}

impl Write {
    /// This write and a `later` one to the same key as one write with both payloads; `None`: they
    /// cannot be one, and the later write waits for the next batch.
    pub fn join(self, later: Self) -> Option<Self> {
        match (self, later) {
            (Self::Hash(first), Self::Hash(later)) => Some(Self::Hash(first.join(later))),
            (Self::Document(first), Self::Document(later)) => first.join(later).map(Self::Document),
            (Self::Hash(_), Self::Document(_)) | (Self::Document(_), Self::Hash(_)) => None,
        }
    }

    /// Appends the commands. `key` is one packed bulk string; `parts` are the updates that were
    /// joined, in order. Each command has one reply.
    pub(super) fn pack<'a>(
        self,
        key: &[u8],
        parts: impl Iterator<Item = Part<'a>>,
        out: &mut PackedCommands,
    ) {
        match self {
            Self::Hash(hash) => hash.pack(key, parts, out),
            Self::Document(document) => document.pack(key, parts, out),
        }
    }

    /// Appends the commands that are sent once the write is confirmed: none of them would be right
    /// if it was refused. Each has one reply, which [`Write::judge_follow_up`] reads.
    pub(super) fn pack_follow_ups(self, key: &[u8], out: &mut PackedCommands) {
        match self {
            Self::Hash(HashWrite { expire, .. }) | Self::Document(DocumentWrite { expire, .. }) => {
                expire.into_iter().for_each(|expire| expire.pack(key, out));
            }
        }
    }

    /// Reads the replies, one for each command that was packed.
    pub(in crate::redis) fn judge(self, replies: &[Value]) -> Result<Applied, Unconfirmed<'_>> {
        match self {
            Self::Hash(hash) => hash.judge(replies).map(|()| Applied::Yes),
            Self::Document(document) => document.judge(replies).map(|()| Applied::Yes),
        }
    }

    /// Reads the reply to one command of [`Write::pack_follow_ups`].
    pub(in crate::redis) fn judge_follow_up(self, reply: &Value) -> Result<(), Unconfirmed<'_>> {
        match self {
            Self::Hash(_) | Self::Document(_) => Expire::judge(reply),
        }
    }

    /// The permissions that an ACL needs: `+command`, with blanks between several.
    pub(in crate::redis) const fn acl(self) -> &'static str {
        match self {
            Self::Hash(HashWrite { removed: 0, .. }) => "+hset",
            Self::Hash(_) => "+hset +hdel",
            Self::Document(document) => document.acl(),
        }
    }

    /// The permissions that an ACL needs for what follows it.
    pub(in crate::redis) const fn follow_up_acl(self) -> Option<&'static str> {
        match self {
            Self::Hash(HashWrite { expire, .. }) | Self::Document(DocumentWrite { expire, .. }) => {
                if expire.is_some() {
                    Some(Expire::ACL)
                } else {
                    None
                }
            }
        }
    }

    /// Fields that are set and fields that are removed in its payload.
    pub(super) const fn counts(self) -> (u32, u32) {
        match self {
            Self::Hash(HashWrite { fields, removed, .. }) => (fields, removed),
            Self::Document(_) => (0, 0),
        }
    }

    /// A packed payload to ask with whether such a write would be taken.
    pub(super) fn sample(self) -> Vec<u8> {
        match self {
            Self::Hash(hash) => hash.sample(),
            Self::Document(document) => document.sample(),
        }
    }
}
