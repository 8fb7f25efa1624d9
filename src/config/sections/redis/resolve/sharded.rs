//! Checks `[redis]` with `mode = "sharded"`, and makes its valid form.

use crate::config::engine::report::ConfigReport;
use crate::config::sections::redis::node::PORT;
use crate::config::sections::redis::nodes::{endpoints, merged};
use crate::config::sections::redis::raw::RawRedis;
use crate::config::sections::redis::server::{database, login, protocol};
use crate::config::sections::redis::sharded::Shard;
use crate::config::sections::redis::target::RedisTarget;
use crate::config::sections::redis::valid::Mode;
use crate::config::sections::tls::{self, UrlTls};

pub(super) fn resolve(redis: &RawRedis, report: &mut ConfigReport) -> RedisTarget {
    let mut nodes = endpoints("redis.nodes", redis.nodes.as_deref(), PORT, report);
    if redis.nodes.as_ref().is_none_or(Vec::is_empty) {
        report.error("redis.nodes", "name the shards, at least one");
    }
    let protocol = protocol(redis, "redis.nodes", &nodes, report);
    let (username, password) = login(redis, report);
    let database = database(redis, report).unwrap_or_default();
    let urls: Vec<UrlTls> = nodes.iter_mut().filter_map(|node| node.tls.take()).collect();
    let tls = redis.tls.resolve(&tls::REDIS, &urls, report);
    let mut shards = Vec::new();
    for endpoint in &nodes {
        let shard =
            Shard { node: endpoint.node.clone(), database: endpoint.database.unwrap_or(database) };
        if !shards.contains(&shard) {
            shards.push(shard);
        }
    }
    let (_, logins) = merged(nodes);
    let mode = Mode::Sharded(shards);
    RedisTarget { mode, username, password, logins, database, protocol, tls }
}
