//! Checks `[redis]` with `mode = "cluster"`, and makes its valid form.

use crate::config::engine::report::ConfigReport;
use crate::config::sections::redis::address::Address;
use crate::config::sections::redis::node::{Node, PORT};
use crate::config::sections::redis::nodes::{Endpoint, endpoints, merged};
use crate::config::sections::redis::raw::RawRedis;
use crate::config::sections::redis::server::{address, database, login, protocol, url_tls};
use crate::config::sections::redis::target::RedisTarget;
use crate::config::sections::redis::valid::Mode;
use crate::config::sections::tls::{self, UrlTls};

pub(super) fn resolve(redis: &RawRedis, report: &mut ConfigReport) -> RedisTarget {
    let mut nodes = endpoints("redis.nodes", redis.nodes.as_deref(), PORT, report);
    let protocol = protocol(redis, "redis.nodes", &nodes, report);
    let (username, password) = login(redis, report);
    if database(redis, report).is_some_and(|number| number != 0) {
        let key = if redis.database.is_some() { "redis.database" } else { "redis.url" };
        report.error(key, "a cluster has only database 0");
    }
    for (n, _) in
        nodes.iter().enumerate().filter(|(_, node)| node.database.is_some_and(|number| number != 0))
    {
        report.error(&format!("redis.nodes[{n}]"), "a cluster has only database 0");
    }
    if redis.url.is_some() || redis.host.is_some() || redis.port.is_some() {
        match address(redis, report) {
            Address::Tcp { host, port } => {
                nodes.insert(
                    0,
                    Endpoint { tls: url_tls(redis), ..Endpoint::plain(Node { host, port }) },
                );
            }
            Address::Unix(_) => {
                report.error("redis.url", "a cluster is not reached through a unix socket")
            }
        }
    } else if redis.nodes.as_ref().is_none_or(Vec::is_empty) {
        report.error("redis.nodes", "name at least one node of the cluster");
    }
    let urls: Vec<UrlTls> = nodes.iter_mut().filter_map(|node| node.tls.take()).collect();
    let tls = redis.tls.resolve(&tls::REDIS, &urls, report);
    let (seeds, logins) = merged(nodes);
    let mode = Mode::Cluster(redis.cluster.clone().unwrap_or_default().resolve(seeds, report));
    RedisTarget { mode, username, password, logins, database: 0, protocol, tls }
}
