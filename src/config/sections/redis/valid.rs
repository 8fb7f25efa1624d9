//! A valid `[redis]` section.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::address::Address;
use super::cluster::Cluster;
use super::durability::Durability;
use super::handshake::Handshake;
use super::local::Local;
use super::node::Node;
use super::nodes::Login;
use super::password::Password;
use super::protocol::Protocol;
use super::replicas::PrimaryReplicas;
use super::sentinel::Sentinel;
use super::sharded::Shard;
use super::tcp::Tcp;
use crate::config::sections::tls::Tls;
use crate::profile::{KeyTemplate, Prefix};

/// Where profiles are written.
#[derive(Debug, Clone)]
pub struct Redis {
    pub mode: Mode,
    pub username: Option<String>,
    pub password: Option<Password>,
    /// Logins of nodes that have one of their own.
    pub logins: BTreeMap<Node, Login>,
    pub database: u32,
    /// `check`, the only verb that reads profiles, may read them from replicas.
    pub read_from_replicas: bool,
    /// The fixed prefix, trimmed as JavaScript trims; empty: none. Of one that events choose, the
    /// default.
    pub prefix: String,
    /// The prefix, or how events choose it.
    pub prefix_rule: Prefix,
    /// The keys of users.
    pub key: KeyTemplate,
    /// The keys of groups; `None`: groups are skipped.
    pub group_key: Option<KeyTemplate>,
    /// Empty: none is set.
    pub client_name: String,
    pub handshake: Handshake,
    /// Protocol of servers that take writes; sentinels are spoken to in RESP2.
    pub protocol: Protocol,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
    pub tcp: Tcp,
    /// `None`: plain text.
    pub tls: Option<Tls>,
    /// `None`: a server's own OK is enough.
    pub durability: Option<Durability>,
}

/// Which kind of Redis, and where it is.
#[derive(Debug, Clone)]
pub enum Mode {
    Standalone(Address),
    /// The in-process store, listening here.
    Embedded(SocketAddr),
    Cluster(Cluster),
    /// One server that takes writes, and others to take its place: sentinels know which.
    Sentinel(Box<Sentinel>),
    /// At least one, each once.
    Sharded(Vec<Shard>),
    PrimaryReplicas(PrimaryReplicas),
    Local(Local),
}
