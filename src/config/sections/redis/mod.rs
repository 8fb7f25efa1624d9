//! `[redis]`: which server, how to log in, which prefix.

mod cluster;
mod durability;
mod effective;
mod embedded;
mod handshake;
mod local;
mod mode;
mod nodes;
pub(crate) mod password;
mod protocol;
mod replicas;
mod sentinel;
mod sharded;
mod standalone;
pub(crate) mod tcp;
pub(crate) mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::cluster::RawCluster;
use self::durability::RawDurability;
use self::embedded::RawEmbedded;
use self::local::RawLocal;
use self::mode::ModeName;
use self::nodes::RawNode;
use self::password::Password;
use self::replicas::RawReplicas;
use self::sentinel::RawSentinel;
use self::tcp::Tcp;
use self::url::UrlText;
use super::prefix::prefix;
use super::tls::{RawTls, Tls};
use crate::config::engine::report::Report;
use crate::config::engine::units::{Secret, Span};

pub use self::cluster::Cluster;
pub use self::durability::Durability;
pub use self::handshake::Handshake;
pub use self::local::Local;
pub(crate) use self::nodes::parse_node;
pub use self::nodes::{Login, NatMap, Node};
pub use self::protocol::Protocol;
pub use self::replicas::PrimaryReplicas;
pub use self::sentinel::Sentinel;
pub use self::sharded::Shard;

#[derive(Debug, Clone)]
pub struct Redis {
    pub mode: Mode,
    pub username: Option<String>,
    pub password: Option<Password>,
    /// Of nodes that have one of their own.
    pub logins: BTreeMap<Node, Login>,
    pub database: u32,
    /// By `check`, which is all that reads.
    pub read_from_replicas: bool,
    /// Trimmed as JavaScript trims; empty: none.
    pub prefix: String,
    /// Empty: none is set.
    pub client_name: String,
    pub handshake: Handshake,
    /// With servers that take writes; sentinels are spoken to in RESP2.
    pub protocol: Protocol,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
    pub tcp: Tcp,
    /// `None`: plain text.
    pub tls: Option<Tls>,
    /// `None`: a server's own OK is enough.
    pub durability: Option<Durability>,
}

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

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => Node { host: host.clone(), port: *port }.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Where profiles are written: the hash `[prefix:]user:<id>`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRedis {
    mode: ModeName,
    /// redis://, rediss:// (TLS), valkey://, valkeys:// or unix://. Or host, port, username,
    /// password, database.
    url: Option<UrlText>,
    /// Several servers: "host:port", or { url } or { host, port, username, password, password_file,
    /// database } for what is its own.
    nodes: Option<Vec<RawNode>>,
    /// Name or IP address.
    host: Option<String>,
    #[schemars(range(min = 1, max = 65535))]
    port: Option<u16>,
    /// User of Redis's access control list.
    username: Option<String>,
    password: Option<Secret>,
    /// A file that holds the password; read again for each new connection.
    password_file: Option<PathBuf>,
    /// A program and its arguments, run without a shell for each new connection; it prints the
    /// password.
    password_command: Option<Vec<String>>,
    #[schemars(range(min = 0, max = 2_147_483_647))]
    database: Option<u32>,
    /// Keys are `[prefix:]user:<id>`.
    prefix: Option<String>,
    /// What CLIENT LIST calls the connections; empty: none is set.
    #[schemars(extend("x-form" = "or_empty"))]
    client_name: String,
    /// What is asked of a server besides writes. auto: what it refuses or hangs up on is left out
    /// from then on. full: all of it, a hang-up is an error. minimal: HELLO or AUTH, SELECT and
    /// writes only; no fencing, no notices of failovers, no probes but a connection.
    handshake: Handshake,
    /// RESP2 or RESP3, which begins with HELLO and needs Redis 6; the hashes are the same. Default:
    /// 2, or what the url says.
    #[schemars(range(min = 2, max = 3))]
    protocol: Option<u8>,
    connect_timeout: Span,
    /// No reply at all for this long: the connection is made anew.
    response_timeout: Span,
    /// TCP: silence before the server is asked whether it is still there; 0s: never.
    keepalive: Option<Span>,
    /// TCP on Linux: how long what was sent may stay unconfirmed; 0s: as the system has it.
    user_timeout: Option<Span>,
    /// Only `check` reads, from replicas too if this is true; the worker itself only writes.
    read_from_replicas: Option<bool>,
    tls: RawTls,
    durability: Option<RawDurability>,
    cluster: Option<RawCluster>,
    sentinel: Option<RawSentinel>,
    replicas: Option<RawReplicas>,
    embedded: Option<RawEmbedded>,
    local: Option<RawLocal>,
}

impl Default for RawRedis {
    fn default() -> Self {
        Self {
            mode: ModeName::default(),
            url: None,
            nodes: None,
            host: None,
            port: None,
            username: None,
            password: None,
            password_file: None,
            password_command: None,
            database: None,
            prefix: None,
            client_name: "traitsink".into(),
            handshake: Handshake::default(),
            protocol: None,
            connect_timeout: Span::secs(5),
            response_timeout: Span::secs(2),
            keepalive: None,
            user_timeout: None,
            read_from_replicas: None,
            tls: RawTls::default(),
            durability: None,
            cluster: None,
            sentinel: None,
            replicas: None,
            embedded: None,
            local: None,
        }
    }
}

/// Who to log in as, and where.
struct Target {
    mode: Mode,
    username: Option<String>,
    password: Option<Password>,
    logins: BTreeMap<Node, Login>,
    database: u32,
    protocol: Protocol,
    tls: Option<Tls>,
}

impl Target {
    /// Without a login and without TLS.
    fn of(mode: Mode) -> Self {
        let (logins, protocol) = (BTreeMap::new(), Protocol::default());
        Self { mode, username: None, password: None, logins, database: 0, protocol, tls: None }
    }
}

impl RawRedis {
    /// `state` is where everything is kept that has no place of its own.
    pub(crate) fn resolve(&self, state: &Path, report: &mut Report) -> Redis {
        report.not_zero("redis.connect_timeout", self.connect_timeout);
        report.not_zero("redis.response_timeout", self.response_timeout);
        if self.client_name.contains(|c: char| !c.is_ascii_graphic()) {
            report.error(
                "redis.client_name",
                "Redis takes no blanks, line ends or letters beyond ASCII in a client's name",
            );
        }
        self.mode.others_have_no_effect(report);
        let target = match self.mode {
            ModeName::Standalone => self.standalone(report),
            ModeName::Cluster => self.cluster(report),
            ModeName::Sentinel => self.sentinel(report),
            ModeName::Sharded => self.sharded(report),
            ModeName::PrimaryReplicas => self.primary_replicas(report),
            ModeName::Embedded => self.embedded(report),
            ModeName::Local => self.local(state, report),
        };
        let durability = self.durability.unwrap_or_default().resolve(self.response_timeout, report);
        self.handshake.check(self.mode, durability.is_some(), report);
        if self.handshake == Handshake::Minimal && !self.client_name.is_empty() {
            report.no_effect("redis.client_name", "with redis.handshake = \"minimal\"");
        }
        Redis {
            mode: target.mode,
            username: target.username,
            password: target.password,
            logins: target.logins,
            database: target.database,
            read_from_replicas: self.read_from_replicas.unwrap_or_default(),
            prefix: prefix(report, "redis.prefix", self.prefix.as_deref()),
            client_name: self.client_name.clone(),
            handshake: self.handshake,
            protocol: target.protocol,
            connect_timeout: self.connect_timeout.0,
            response_timeout: self.response_timeout.0,
            tcp: Tcp::resolve(self.keepalive, self.user_timeout, report),
            tls: target.tls,
            durability,
        }
    }
}
