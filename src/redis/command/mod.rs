//! The write forms: how one is packed, when two may be joined, what its replies mean, which ACL it
//! needs. Pure.

mod guard;
mod hash;
mod packed;
mod script;
mod unguarded;
mod verdict;
mod write;
mod writes;

pub use guard::{
    ExpiringFields, ExpiryMoment, Guard, GuardMode, GuardVerdict, GuardedDeletion, GuardedEvent,
    KeyExpiry,
};
pub use hash::HashWrite;
pub use packed::PackedCommands;
pub use script::Script;
pub use unguarded::{KeyDeletion, ReplaceWrite};
pub(super) use verdict::Unconfirmed;
pub use verdict::{UnexplainedRefusal, Verdict};
pub use write::Write;
pub use writes::Writes;
pub(super) use writes::{Expected, replies_by_write};
