//! Newest wins.
mod event;
mod note_id;
mod pack;
mod scripts;
mod verdict;

pub use event::{ExpiringFields, ExpiryMoment, GuardedDeletion, GuardedEvent, KeyExpiry};
pub use pack::{Guard, GuardMode};
pub use verdict::GuardVerdict;
