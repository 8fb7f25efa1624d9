//! Writes to Redis. `command` says what is sent, `route` to which server, `link` and `wire` over
//! which connection, `errors` what a refusal means, `probe` what `check --connect` asks. `read.rs`
//! reads a profile for an operator; `shared_hash.rs` is a hash that workers share. `apply.rs` is
//! what a lane sees of it; `loss_epochs.rs` counts when confirmed writes may be lost.

mod apply;
mod command;
pub mod errors;
mod link;
mod loss_epochs;
mod probe;
mod read;
mod route;
mod shared_hash;
mod slot;
mod wire;

pub use apply::Apply;
pub use command::{
    DocumentWrite, Expire, ExpiringFields, Forms, Guard, GuardMode, GuardVerdict, GuardedDeletion,
    GuardedErasure, GuardedEvent, GuardedWrite, HashWrite, KeyDeletion, PackedCommands,
    ReplaceWrite, Script, UnexplainedRefusal, UpdatePart, Verdict, Write, Writes,
};
pub use errors::{Broken, Class, QueryError, Trouble};
pub use loss_epochs::LossEpochs;
pub use probe::{Replication, ServerReport, entity_pattern, key_pattern, one_key, probe};
pub use read::{ProfileContent, ReadError, StoredProfile};
pub use route::{LaneWriter, Placement, Route, Survey, Surveyed};
pub use shared_hash::{HashFields, HashScan, HashState, SharedHash};
pub use slot::{SLOTS, slot_of};
#[cfg(test)]
use wire::arbitrary;
pub use wire::{
    Allowed, Connection, ConnectionSettings, Connector, Identity, TlsSession, check_password,
};
