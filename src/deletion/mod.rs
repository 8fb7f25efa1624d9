//! Deletion of users: who asks for it, what is kept of that on disk, and how it is seen to its end.
//!
//! `api/` answers requests; `regulations.rs` accepts them and shows their state; `runner.rs` does
//! the work, through a [`KeyDeleter`]; `records/` is the disk; `suppressions.rs` says for each
//! event whether its user is suppressed, and `sync.rs` tells other workers through Redis.

mod api;
mod deleter;
mod kind;
mod letters;
mod logged;
mod mark;
mod no_room;
mod records;
mod regulation;
mod regulations;
mod runner;
mod scope;
mod seen;
mod suppressions;
mod sync;
mod work;

pub use api::{ApiLimits, ApiToken, RegulationApi};
pub use deleter::{Deleted, DeletionTime, KeyDeleter, NotDeleted};
pub use kind::RegulationKind;
pub use mark::SuppressionMark;
pub use no_room::NoRoom;
pub use records::DeletionStore;
pub use regulation::{Regulation, RegulationState, Shortfall, WorkDone};
pub use regulations::{NotKept, RegulationOrder, Regulations};
pub use runner::{Runner, RunnerParts};
pub use scope::{ConfiguredKeys, KeyScope, NamedSource};
pub use seen::SeenKeys;
pub use suppressions::Suppressions;
pub use sync::{SuppressionSync, SyncError};
