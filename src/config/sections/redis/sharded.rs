//! `mode = "sharded"`.

use std::fmt;

use super::nodes::{Node, PORT, endpoints, merged};
use super::{Mode, RawRedis, Target};
use crate::config::engine::report::Report;
use crate::config::sections::tls::{self, UrlTls};

/// One of several independent servers. Keys are placed by its text, `host:port/database`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    pub node: Node,
    pub database: u32,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.database)
    }
}

impl RawRedis {
    pub(super) fn sharded(&self, report: &mut Report) -> Target {
        let mut nodes = endpoints("redis.nodes", self.nodes.as_deref(), PORT, report);
        if self.nodes.as_ref().is_none_or(Vec::is_empty) {
            report.error("redis.nodes", "name the shards, at least one");
        }
        let protocol = self.protocol("redis.nodes", &nodes, report);
        let (username, password) = self.login(report);
        let database = self.database(report).unwrap_or_default();
        let urls: Vec<UrlTls> = nodes.iter_mut().filter_map(|node| node.tls.take()).collect();
        let tls = self.tls.resolve(tls::REDIS, &urls, report);
        let mut shards = Vec::new();
        for endpoint in &nodes {
            let shard = Shard {
                node: endpoint.node.clone(),
                database: endpoint.database.unwrap_or(database),
            };
            if !shards.contains(&shard) {
                shards.push(shard);
            }
        }
        let (_, logins) = merged(nodes);
        Target { mode: Mode::Sharded(shards), username, password, logins, database, protocol, tls }
    }
}
