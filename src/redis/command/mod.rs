//! The write forms: how one is packed, when two may be joined, what its replies mean, which ACL it
//! needs. Pure.

mod document;
mod expire;
mod forms;
mod hash;
mod needs;
mod packed;
mod script;
mod verdict;
mod write;
mod writes;

pub use document::DocumentWrite;
pub use expire::Expire;
pub use forms::{DocumentForms, ExpireMode, Forms};
pub use hash::HashWrite;
pub(super) use needs::Need;
pub(super) use packed::PackedCommands;
pub(super) use verdict::{Applied, Unconfirmed};
pub use verdict::{UnexplainedRefusal, Verdict};
pub use write::{Part, Write};
pub use writes::Writes;
pub(super) use writes::{Expected, PackedWrites, replies_by_write};
