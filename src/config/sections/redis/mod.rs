//! `[redis]`: which server, how to log in, which prefix.
//!
//! [`raw`] is what is typed, [`valid`] what it comes to, [`mod@resolve`] the way from one to the
//! other, one file for each mode; [`mod@effective`] is the way back.

mod address;
mod by_mode;
mod cluster;
mod durability;
mod effective;
mod embedded;
mod handshake;
mod local;
mod mode;
mod node;
mod nodes;
pub(crate) mod password;
mod protocol;
mod raw;
mod replicas;
mod resolve;
mod sentinel;
mod server;
mod sharded;
mod target;
mod tcp;
pub(crate) mod url;
mod valid;

pub use self::address::Address;
pub use self::by_mode::OwnServer;
pub use self::cluster::Cluster;
pub use self::durability::Durability;
pub use self::handshake::Handshake;
pub use self::local::Local;
pub use self::node::{NatMap, Node};
pub use self::nodes::Login;
pub use self::password::{Password, program_name};
pub use self::protocol::Protocol;
pub use self::replicas::PrimaryReplicas;
pub use self::sentinel::Sentinel;
pub use self::sharded::Shard;
pub use self::tcp::Tcp;
pub use self::valid::{Mode, Redis};

pub(crate) use self::effective::effective;
pub(crate) use self::node::parse_node;
pub(crate) use self::raw::RawRedis;
pub(crate) use self::resolve::resolve;
