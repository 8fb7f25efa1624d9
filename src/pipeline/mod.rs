//! From an event of a source to its outcome.
//!
//! The way of one event:
//! 1. Its source reserves room for the message ([`reserve`], [`Budget`]) and makes an [`Ack`],
//!    which ties the event to the source's [`Receipts`].
//! 2. [`Intake::accept`] transforms the event and pushes it, as a [`Job`], onto the [`Queue`] of
//!    its key's lane; [`admit`] waits while there is no room.
//! 3. The [`Lane`] takes the jobs that have gathered as one [`Batch`], writes it to Redis, and
//!    settles each ack by the verdict on its write. Jobs that Redis could not take now are written
//!    again; a key that Redis refuses for an unknown reason is set aside (`set_aside`), and
//!    [`PoisonDetector`] finds out whether its event is to blame.
//! 4. The ack counts the [`Outcome`] and reports it to the source.
//!
//! [`Health`] shows whether the lanes can write.

mod ack;
mod admission;
mod batch;
mod budget;
mod bundle;
mod confirmed;
mod further_keys;
mod health;
mod intake;
mod job;
mod key_deletions;
mod lane;
mod message;
mod poison;
mod queue;
mod segments;
mod set_aside;
mod unwritten;

pub use crate::event::Origin;
pub use crate::outcome::{DeadReason, Outcome, Source};
pub use ack::{Ack, Receipts};
pub use admission::{admit, reserve};
pub use batch::Batch;
pub use budget::{Budget, Reservation};
pub use bundle::{Bundles, SmallRecord};
pub use further_keys::KeysOfUser;
pub use health::{Health, LaneHealth};
pub use intake::{Intake, IsSuppressed, NotAccepted};
pub use job::{Busy, Job};
pub use key_deletions::{DeletedKeys, delete_keys};
pub use lane::{Lane, LaneDeletion, LaneLimits};
pub use message::Message;
pub use poison::PoisonDetector;
pub use queue::Queue;
pub use unwritten::settle_unwritten;
