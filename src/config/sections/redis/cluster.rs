//! `mode = "cluster"`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nodes::{Endpoint, NatMap, Node, NodeText, PORT, endpoints, merged};
use super::{Address, Mode, RawRedis, Target};
use crate::config::engine::report::Report;
use crate::config::engine::units::Span;
use crate::config::sections::tls::{self, UrlTls};

/// A Redis Cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// At least one; the others are found through it.
    pub seeds: Vec<Node>,
    /// Times that a write is sent on before it is retried with a new map.
    pub max_redirections: u32,
    /// How often the map is asked for although nothing is wrong.
    pub refresh: Duration,
    /// Addresses that nodes announce, and where they are reached from here.
    pub nat_map: NatMap,
}

/// With `mode = "cluster"`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawCluster {
    /// Times that a write is sent on (MOVED, ASK) before it is retried with a new map.
    #[schemars(range(min = 1, max = 100))]
    max_redirections: u32,
    /// How often the nodes are asked who owns which slot although nothing is wrong.
    refresh: Span,
    /// Addresses that nodes announce, and where they are reached from here: `"10.0.0.1:6379" =
    /// "redis-1.example:6379"`.
    nat_map: BTreeMap<String, NodeText>,
}

impl Default for RawCluster {
    fn default() -> Self {
        Self { max_redirections: 16, refresh: Span::secs(60), nat_map: BTreeMap::new() }
    }
}

impl RawCluster {
    fn resolve(&self, seeds: Vec<Node>, report: &mut Report) -> Cluster {
        report.not_zero("redis.cluster.refresh", self.refresh);
        Cluster {
            seeds,
            max_redirections: self.max_redirections,
            refresh: self.refresh.0,
            nat_map: NatMap::resolve("redis.cluster.nat_map", &self.nat_map, report),
        }
    }
}

impl RawRedis {
    pub(super) fn cluster(&self, report: &mut Report) -> Target {
        let mut nodes = endpoints("redis.nodes", self.nodes.as_deref(), PORT, report);
        let protocol = self.protocol("redis.nodes", &nodes, report);
        let (username, password) = self.login(report);
        if self.database(report).is_some_and(|number| number != 0) {
            let key = if self.database.is_some() { "redis.database" } else { "redis.url" };
            report.error(key, "a cluster has only database 0");
        }
        for (n, _) in nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.database.is_some_and(|number| number != 0))
        {
            report.error(&format!("redis.nodes[{n}]"), "a cluster has only database 0");
        }
        if self.url.is_some() || self.host.is_some() || self.port.is_some() {
            match self.address(report) {
                Address::Tcp { host, port } => {
                    nodes.insert(
                        0,
                        Endpoint { tls: self.url_tls(), ..Endpoint::plain(Node { host, port }) },
                    );
                }
                Address::Unix(_) => {
                    report.error("redis.url", "a cluster is not reached through a unix socket")
                }
            }
        } else if self.nodes.as_ref().is_none_or(Vec::is_empty) {
            report.error("redis.nodes", "name at least one node of the cluster");
        }
        let urls: Vec<UrlTls> = nodes.iter_mut().filter_map(|node| node.tls.take()).collect();
        let tls = self.tls.resolve(tls::REDIS, &urls, report);
        let (seeds, logins) = merged(nodes);
        let mode = Mode::Cluster(self.cluster.clone().unwrap_or_default().resolve(seeds, report));
        Target { mode, username, password, logins, database: 0, protocol, tls }
    }
}
