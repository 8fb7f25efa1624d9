//! Writes under the guard of newer fields, as calls of its scripts. Pure.

use redis::Value;

use super::expire::Expire;
use super::field_ttls::FieldTtls;
use super::folded::Folded;
use super::guard::{GuardVerdict, GuardedDeletion, GuardedEvent};
use super::packed::PackedCommands;
use super::part::UpdatePart;
use super::verdict::{Applied, Unconfirmed};
use super::write_settings::WriteSettings;

/// Fields of a hash that events of one time set and remove, where nothing newer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedWrite {
    /// The time of the events, milliseconds since the epoch.
    pub time: u64,
    /// In mode "profile": the fields become all that the hash has.
    pub replace: bool,
    /// Pairs of a name and a value in the payload.
    pub fields: u32,
    /// Names behind them; with no pairs at least one.
    pub removed: u32,
    /// The end of the key.
    pub expire: Option<Expire>,
}

/// The deletion of a user as of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedErasure {
    /// Milliseconds since the epoch.
    pub time: u64,
    /// What is newer goes, too.
    pub everything: bool,
}

impl GuardedWrite {
    /// `None`: events of different times, which are two writes.
    pub(super) fn join(self, later: Self) -> Option<Self> {
        (self.time == later.time && self.replace == later.replace).then(|| Self {
            time: self.time,
            replace: self.replace,
            fields: self.fields + later.fields,
            removed: self.removed + later.removed,
            expire: Expire::join(self.expire, later.expire),
        })
    }

    pub(super) fn pack<'a>(
        self,
        settings: &WriteSettings,
        key: &[u8],
        parts: impl Iterator<Item = UpdatePart<'a>>,
        out: &mut PackedCommands,
    ) {
        let folded = Folded::of(parts);
        let set: Vec<&[u8]> = folded.set().collect();
        let removed: Vec<&[u8]> = folded.removed().collect();
        let ttls = FieldTtls::of(&settings.field_ttl, folded.set_names());
        let event = GuardedEvent {
            time: self.time,
            fields: set.len() as u32,
            removed: removed.len() as u32,
            expiry: self.expire,
            field_ttls: &ttls.expiring(),
            tombstone_ttl: settings.tombstone_ttl,
        };
        settings.guard(self.replace).pack_event(
            key,
            &event,
            set.into_iter(),
            removed.into_iter(),
            out,
        );
    }
}

impl GuardedErasure {
    pub(super) fn pack(self, settings: &WriteSettings, key: &[u8], out: &mut PackedCommands) {
        let Self { time, everything } = self;
        let deletion = GuardedDeletion { time, everything, tombstone_ttl: settings.tombstone_ttl };
        settings.guard(false).pack_deletion(key, deletion, out);
    }
}

/// Reads the reply to one call; `deletes`: of a script that deletes.
pub(super) fn judge(deletes: bool, replies: &[Value]) -> Result<Applied, Unconfirmed<'_>> {
    match replies {
        [Value::ServerError(error)] => Err(Unconfirmed::Error(error)),
        [reply] => match GuardVerdict::read(reply) {
            Some(GuardVerdict::Stale) => Ok(Applied::Stale),
            Some(GuardVerdict::Applied) if deletes => Ok(Applied::Absent),
            Some(GuardVerdict::Applied | GuardVerdict::ProfileRemoved) => Ok(Applied::Yes),
            None => Err(Unconfirmed::Mismatch),
        },
        _ => Err(Unconfirmed::Mismatch),
    }
}
