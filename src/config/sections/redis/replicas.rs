//! `mode = "primary_replicas"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nodes::{Node, PORT, RawNode, endpoints, merged};
use super::{Address, Mode, RawRedis, Target};
use crate::config::engine::report::Report;
use crate::config::sections::tls::{self, UrlTls};

/// One server that takes writes, and those that follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryReplicas {
    pub primary: Address,
    /// At least one.
    pub replicas: Vec<Node>,
}

/// With `mode = "primary_replicas"`: redis.url, or host and port, is the primary.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawReplicas {
    /// The replicas: "host:port", or tables as in redis.nodes.
    nodes: Option<Vec<RawNode>>,
}

impl RawRedis {
    pub(super) fn primary_replicas(&self, report: &mut Report) -> Target {
        let nodes = self.replicas.as_ref().and_then(|replicas| replicas.nodes.as_deref());
        if nodes.is_none_or(<[_]>::is_empty) {
            report.error(
                "redis.replicas.nodes",
                "name at least one replica, or set redis.mode = \"standalone\"",
            );
        }
        let mut nodes = endpoints("redis.replicas.nodes", nodes, PORT, report);
        let protocol = self.protocol("redis.replicas.nodes", &nodes, report);
        let (username, password) = self.login(report);
        let database = self.database(report).unwrap_or_default();
        for (n, _) in nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.database.is_some_and(|own| own != database))
        {
            report.error(
                &format!("redis.replicas.nodes[{n}]"),
                format_args!("a replica has the primary's databases, and that is {database}"),
            );
        }
        let primary = self.address(report);
        let replicas = nodes.iter_mut().filter_map(|node| node.tls.take());
        let urls: Vec<UrlTls> = self.url_tls().into_iter().chain(replicas).collect();
        let tls = self.tls.resolve(tls::REDIS, &urls, report);
        let (replicas, logins) = merged(nodes);
        let mode = Mode::PrimaryReplicas(PrimaryReplicas { primary, replicas });
        Target { mode, username, password, logins, database, protocol, tls }
    }
}
