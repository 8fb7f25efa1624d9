//! The write forms: how one is packed, when two may be joined, what its replies mean, which ACL it
//! needs. Pure.

mod document;
mod expire;
mod field_ttls;
mod folded;
mod forms;
mod guard;
mod guarded;
mod hash;
mod needs;
mod packed;
mod part;
mod script;
mod unguarded;
mod verdict;
mod write;
mod write_settings;
mod writes;

pub use document::DocumentWrite;
pub use expire::Expire;
pub use forms::Forms;
pub use guard::{ExpiringFields, Guard, GuardMode, GuardVerdict, GuardedDeletion, GuardedEvent};
pub use guarded::{GuardedErasure, GuardedWrite};
pub use hash::HashWrite;
pub(super) use needs::VersionNeed;
pub use packed::PackedCommands;
pub use part::UpdatePart;
pub use script::Script;
pub use unguarded::{KeyDeletion, ReplaceWrite};
pub(super) use verdict::{Applied, Unconfirmed};
pub use verdict::{UnexplainedRefusal, Verdict};
pub use write::Write;
pub use writes::Writes;
pub(super) use writes::{Expected, PackedWrites, replies_by_write};
