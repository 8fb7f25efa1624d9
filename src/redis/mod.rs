//! Connections to Redis, writing, and what its errors mean.

mod apply;
mod command;
mod embedded;
pub mod errors;
mod link;
mod local;
mod loss_epochs;
mod probe;
mod route;
mod slot;
mod wire;

pub use apply::Apply;
pub use command::{HashWrite, UnexplainedRefusal, Verdict, Write, Writes};
pub use embedded::Embedded;
pub use errors::{Broken, Class, QueryError, Trouble};
pub use local::{Local, LocalError};
pub use loss_epochs::LossEpochs;
pub use probe::{Replication, ServerReport, probe};
pub use route::{LaneWriter, Placement, Route, Survey, Surveyed};
pub use slot::{SLOTS, slot_of};
#[cfg(test)]
use wire::arbitrary;
pub use wire::{
    Allowed, Connection, ConnectionSettings, Connector, Identity, TlsSession, check_password,
};
