//! The answers that depend on the kind of Redis, besides where a write goes.

use std::net::{Ipv4Addr, SocketAddr};

use super::{Local, Mode};
use crate::config::Tls;

/// A server that this program starts itself.
#[derive(Debug, Clone, Copy)]
pub enum OwnServer<'a> {
    /// The in-process store, which keeps nothing; where it listens.
    Embedded(SocketAddr),
    /// A redis-server as a child process.
    Local(&'a Local),
}

impl OwnServer<'_> {
    /// The key of its port, and where it listens.
    pub(in crate::config) fn listens(self) -> (&'static str, SocketAddr) {
        match self {
            Self::Embedded(listen) => ("redis.embedded.listen", listen),
            Self::Local(local) => {
                ("redis.local.port", SocketAddr::from((Ipv4Addr::LOCALHOST, local.port)))
            }
        }
    }
}

impl Mode {
    /// The value of `redis.mode`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Standalone(_) => "standalone",
            Self::Embedded(_) => "embedded",
            Self::Cluster(_) => "cluster",
            Self::Sentinel(_) => "sentinel",
            Self::Sharded(_) => "sharded",
            Self::PrimaryReplicas(_) => "primary_replicas",
            Self::Local(_) => "local",
        }
    }

    /// The server to start, if this program is to start one.
    pub fn own_server(&self) -> Option<OwnServer<'_>> {
        match self {
            Self::Embedded(listen) => Some(OwnServer::Embedded(*listen)),
            Self::Local(local) => Some(OwnServer::Local(local)),
            Self::Standalone(_)
            | Self::Cluster(_)
            | Self::Sentinel(_)
            | Self::Sharded(_)
            | Self::PrimaryReplicas(_) => None,
        }
    }

    /// The number of servers that take writes, as far as is known; at least three in a cluster.
    pub(in crate::config) fn primaries(&self) -> usize {
        match self {
            Self::Cluster(_) => 3,
            Self::Sharded(shards) => shards.len(),
            _ => 1,
        }
    }

    /// True when the servers are shards: each needs a lane of its own, and names its database.
    pub fn is_sharded(&self) -> bool {
        matches!(self, Self::Sharded(_))
    }

    /// TLS with the sentinels.
    pub(in crate::config) fn sentinel_tls(&self) -> Option<&Tls> {
        match self {
            Self::Sentinel(sentinel) => sentinel.tls.as_ref(),
            _ => None,
        }
    }

    /// Where Redis is, for people; `tls` puts TLS into words.
    pub fn in_words(&self, tls: impl Fn(Option<&Tls>) -> String) -> String {
        fn list(nodes: &[impl ToString]) -> String {
            nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        match self {
            Self::Embedded(listen) => format!("inside this process on {listen}, keeps nothing"),
            Self::Local(local) => local.in_words(),
            Self::Standalone(address) => address.to_string(),
            Self::Cluster(cluster) => format!("the cluster of {}", list(&cluster.seeds)),
            Self::Sentinel(sentinel) => format!(
                "the master {:?} that the sentinels {} know ({})",
                sentinel.master,
                list(&sentinel.nodes),
                tls(sentinel.tls.as_ref())
            ),
            Self::Sharded(shards) => format!("the shards {}", list(shards)),
            Self::PrimaryReplicas(servers) => {
                format!("{}, which {} replicate", servers.primary, list(&servers.replicas))
            }
        }
    }
}

impl Local {
    fn in_words(&self) -> String {
        let binary = self.binary.as_ref().map_or_else(
            || "redis-server or valkey-server".to_owned(),
            |binary| binary.display().to_string(),
        );
        let port = match self.port {
            0 => String::new(),
            port => format!(" and on port {port} of 127.0.0.1, with a password"),
        };
        let data_dir = self.data_dir.display();
        format!("started with the worker: {binary} on a socket{port}, data in {data_dir}")
    }
}
