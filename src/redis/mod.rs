//! Connections to Redis, writing, and what its errors mean.

#[cfg(test)]
mod arbitrary;
mod class;
mod cluster;
mod connection;
mod connector;
mod dialect;
pub mod errors;
mod handshake;
mod hint;
mod link;
mod password;
mod placement;
mod probe;
mod refusal;
mod replication;
mod reply;
mod sentinel;
mod sharded;
mod slot;
mod store;
mod stream;
mod survey;
mod switches;
mod topology;
mod unexplained;
mod writable;
mod writes;

pub use class::Class;
pub use connection::{Broken, ConnectError, Connection, QueryError, TlsSession};
pub use connector::Connector;
pub use handshake::Identity;
pub use password::check_password;
pub use placement::Placement;
pub use probe::{Report, minimal_acl, probe};
pub use replication::Replication;
pub use slot::{SLOTS, slot_of};
pub use store::Store;
pub use survey::{Survey, Surveyed};
pub use switches::Switches;
pub use topology::Topology;
pub use writes::{Allowed, Apply, Suspicion, Trouble, Verdict, Writes};
