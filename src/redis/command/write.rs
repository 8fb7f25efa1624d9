//! The write forms: what can be written to one key. Pure.
//!
//! A new form is a variant of [`Write`], with a type that knows its commands as [`HashWrite`] does.
//! `forms.rs` chooses it for an update. The compiler names the places in this file: see "Add a
//! write form" in `CONTRIBUTING.md`.

use redis::Value;

use super::document::DocumentWrite;
use super::expire::Expire;
use super::guard::Guard;
use super::guarded::{self, GuardedErasure, GuardedWrite};
use super::hash::HashWrite;
use super::packed::{PackedCommands, push_bulk};
use super::part::UpdatePart;
use super::unguarded::{KeyDeletion, ReplaceWrite};
use super::verdict::{Applied, Unconfirmed};
use super::write_settings::WriteSettings;

/// A write to one key. The payload, packed by the event, stays where it is: a form holds
/// only what else its commands need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Sets and removes fields of a hash. The payload is the packed names and values, and then the
    /// names that are removed.
    Hash(HashWrite),
    /// The fields of the payload become all that the hash has.
    Replace(ReplaceWrite),
    /// As [`Write::Hash`], where nothing newer is there.
    Guarded(GuardedWrite),
    /// Deletes the key. There is no payload.
    Deletion(KeyDeletion),
    /// Deletes what is not newer.
    Erasure(GuardedErasure),
    /// Merges or replaces a JSON document. The payload is its packed text, and then the JSONPaths
    /// of members that become null.
    Document(DocumentWrite),
}

impl Write {
    /// This write and a `later` one to the same key as one write with both payloads; `None`: they
    /// cannot be one, and the later write waits for the next batch.
    pub fn join(self, later: Self) -> Option<Self> {
        match (self, later) {
            (Self::Hash(first), Self::Hash(later)) => Some(Self::Hash(first.join(later))),
            (Self::Replace(first), Self::Replace(later)) => Some(Self::Replace(first.join(later))),
            (Self::Guarded(first), Self::Guarded(later)) => first.join(later).map(Self::Guarded),
            (Self::Deletion(_), Self::Deletion(_)) | (Self::Erasure(_), Self::Erasure(_))
                if self == later =>
            {
                Some(self)
            }
            (Self::Document(first), Self::Document(later)) => first.join(later).map(Self::Document),
            _ => None,
        }
    }

    /// Appends the commands. `key` is one packed bulk string; `parts` are the updates that were
    /// joined, in order. Each command has one reply.
    pub(super) fn pack<'a>(
        self,
        settings: &WriteSettings,
        key: &[u8],
        parts: impl Iterator<Item = UpdatePart<'a>>,
        out: &mut PackedCommands,
    ) {
        match self {
            Self::Hash(hash) => hash.pack(settings, key, parts, out),
            Self::Replace(replace) => {
                replace.pack_last(&settings.field_ttl, key, parts.last(), out)
            }
            Self::Guarded(guarded) => guarded.pack(settings, key, parts, out),
            Self::Deletion(deletion) => deletion.pack(key, out),
            Self::Erasure(erasure) => erasure.pack(settings, key, out),
            Self::Document(document) => document.pack(key, parts, out),
        }
    }

    /// Appends the commands that are sent once the write is confirmed: none of them would be right
    /// if it was refused. Each has one reply, which [`Write::judge_follow_up`] reads.
    pub(super) fn pack_follow_ups(self, key: &[u8], out: &mut PackedCommands) {
        self.follow_up().into_iter().for_each(|expire| expire.pack(key, out));
    }

    const fn follow_up(self) -> Option<Expire> {
        match self {
            Self::Hash(HashWrite { expire, .. })
            | Self::Replace(ReplaceWrite { expire, .. })
            | Self::Document(DocumentWrite { expire, .. }) => expire,
            // Its script knows whether the key is to have an end.
            Self::Guarded(_) | Self::Deletion(_) | Self::Erasure(_) => None,
        }
    }

    /// Reads the replies, one for each command that was packed.
    pub(in crate::redis) fn judge(self, replies: &[Value]) -> Result<Applied, Unconfirmed<'_>> {
        match self {
            Self::Hash(hash) => hash.judge(replies).map(|()| Applied::Yes),
            Self::Replace(replace) => replace.judge(replies).map(|()| Applied::Yes),
            Self::Guarded(_) => guarded::judge(false, replies),
            Self::Deletion(deletion) => deletion.judge(replies),
            Self::Erasure(_) => guarded::judge(true, replies),
            Self::Document(document) => document.judge(replies).map(|()| Applied::Yes),
        }
    }

    /// Reads the reply to one command of [`Write::pack_follow_ups`].
    pub(in crate::redis) fn judge_follow_up(self, reply: &Value) -> Result<(), Unconfirmed<'_>> {
        Expire::judge(reply)
    }

    /// The permissions that an ACL needs: `+command`, with blanks between several.
    pub(in crate::redis) const fn acl(self) -> &'static str {
        match self {
            Self::Hash(HashWrite { removed: 0, .. }) => "+hset",
            Self::Hash(_) => "+hset +hdel",
            Self::Replace(_) => ReplaceWrite::ACL,
            Self::Guarded(_) | Self::Erasure(_) => Guard::ACL,
            Self::Deletion(_) => KeyDeletion::ACL,
            Self::Document(document) => document.acl(),
        }
    }

    /// The permissions that an ACL needs for what follows it.
    pub(in crate::redis) const fn follow_up_acl(self) -> Option<&'static str> {
        match self.follow_up() {
            None => None,
            Some(_) => Some(Expire::ACL),
        }
    }

    /// Fields that are set and fields that are removed in its payload.
    pub const fn counts(self) -> (u32, u32) {
        match self {
            Self::Hash(HashWrite { fields, removed, .. })
            | Self::Guarded(GuardedWrite { fields, removed, .. }) => (fields, removed),
            Self::Replace(ReplaceWrite { fields, .. }) => (fields, 0),
            Self::Document(_) | Self::Deletion(_) | Self::Erasure(_) => (0, 0),
        }
    }

    /// A packed payload to ask with whether such a write would be taken.
    pub(super) fn sample(self) -> Vec<u8> {
        if let Self::Document(document) = self {
            return document.sample();
        }
        let (fields, removed) = self.counts();
        sample(fields, removed)
    }
}

/// So many pairs of a name and a value, and then so many names.
fn sample(fields: u32, removed: u32) -> Vec<u8> {
    let mut payload = Vec::new();
    for field in 0..fields {
        push_bulk(&mut payload, format!("f{field}").as_bytes());
        push_bulk(&mut payload, b"0");
    }
    for field in 0..removed {
        push_bulk(&mut payload, format!("r{field}").as_bytes());
    }
    payload
}
