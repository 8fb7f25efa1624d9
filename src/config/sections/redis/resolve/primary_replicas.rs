//! Checks `[redis]` with `mode = "primary_replicas"`, and makes its valid form.

use crate::config::engine::report::ConfigReport;
use crate::config::sections::redis::node::PORT;
use crate::config::sections::redis::nodes::{endpoints, merged};
use crate::config::sections::redis::raw::RawRedis;
use crate::config::sections::redis::replicas::PrimaryReplicas;
use crate::config::sections::redis::server::{address, database, login, protocol, url_tls};
use crate::config::sections::redis::target::RedisTarget;
use crate::config::sections::redis::valid::Mode;
use crate::config::sections::tls::{self, UrlTls};

pub(super) fn resolve(redis: &RawRedis, report: &mut ConfigReport) -> RedisTarget {
    let nodes = redis.replicas.as_ref().and_then(|replicas| replicas.nodes.as_deref());
    if nodes.is_none_or(<[_]>::is_empty) {
        report.error(
            "redis.replicas.nodes",
            "name at least one replica, or set redis.mode = \"standalone\"",
        );
    }
    let mut nodes = endpoints("redis.replicas.nodes", nodes, PORT, report);
    let protocol = protocol(redis, "redis.replicas.nodes", &nodes, report);
    let (username, password) = login(redis, report);
    let database = database(redis, report).unwrap_or_default();
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
    let primary = address(redis, report);
    let replicas = nodes.iter_mut().filter_map(|node| node.tls.take());
    let urls: Vec<UrlTls> = url_tls(redis).into_iter().chain(replicas).collect();
    let tls = redis.tls.resolve(&tls::REDIS, &urls, report);
    let (replicas, logins) = merged(nodes);
    let mode = Mode::PrimaryReplicas(PrimaryReplicas { primary, replicas });
    RedisTarget { mode, username, password, logins, database, protocol, tls }
}
