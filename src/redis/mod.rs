//! Connections to Redis, writing, and what its errors mean.

mod apply;
mod cluster;
mod command;
mod embedded;
pub mod errors;
mod link;
mod local;
mod loss_epochs;
mod placement;
mod probe;
mod sentinel;
mod sharded;
mod slot;
mod store;
mod survey;
mod topology;
mod wire;

pub use apply::Apply;
pub use command::{HashWrite, UnexplainedRefusal, Verdict, Write, Writes};
pub use embedded::Embedded;
pub use errors::{Broken, Class, QueryError, Trouble};
pub use local::{Local, LocalError};
pub use loss_epochs::LossEpochs;
pub use placement::Placement;
pub use probe::{Replication, ServerReport, minimal_acl, probe};
pub use slot::{SLOTS, slot_of};
pub use store::Store;
pub use survey::{Survey, Surveyed};
pub use topology::Topology;
#[cfg(test)]
use wire::arbitrary;
pub use wire::{
    Allowed, Connection, ConnectionSettings, Connector, Identity, TlsSession, check_password,
};
