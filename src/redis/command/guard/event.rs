//! What the guard is told about an event or a deletion. Pure.

use crate::redis::command::expire::Expire;

/// Fields of one key that events of the same time set and remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedEvent<'a> {
    /// The time of the events, in milliseconds since 1970.
    pub time: u64,
    /// Pairs of a name and a value.
    pub fields: u32,
    /// Names of fields to remove. With [`GuardedEvent::fields`] at least one.
    pub removed: u32,
    /// The TTL of the key; `None`: it keeps what it has.
    pub expiry: Option<Expire>,
    /// Names of fields that have a TTL: no name twice.
    pub field_ttls: &'a [ExpiringFields<'a>],
    /// In milliseconds: how long a profile without a TTL is remembered of which the removals left
    /// no field. 0: for ever.
    pub tombstone_ttl: u64,
}

/// Fields that share a TTL: Redis 7.4, Valkey 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiringFields<'a> {
    /// In milliseconds; at least one.
    pub ttl: u64,
    /// Number of names.
    pub count: u32,
    /// The names, packed, one behind the other.
    pub names: &'a [u8],
}

/// The deletion of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedDeletion {
    /// In milliseconds since 1970. Fields of this time and older ones go.
    pub time: u64,
    /// Newer fields go, too: the time of the deletion is that of the newest.
    pub everything: bool,
    /// In milliseconds: how long an empty profile is remembered as deleted. 0: for ever.
    pub tombstone_ttl: u64,
}
