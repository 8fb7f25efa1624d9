//! A cluster: `nodes`, and `redisOptions` for each connection.

use super::cache::Cache;
use super::nodes::{nat_map, nodes};
use super::tls::tls;
use super::unused;
use crate::import::address::list;

pub(super) fn convert(cache: &mut Cache) {
    cache.0.draft.set("redis.mode", "cluster");
    let nodes = nodes(cache, "nodes", 6379);
    let has_secret = nodes.iter().any(|node| node.password.is_some());
    cache.0.draft.set_and_tell("redis.nodes", list(&nodes), has_secret);
    cache.0.mapped("nodes", "redis.mode, redis.nodes", "");
    cache.login("redisOptions.");
    cache.0.skip("redisOptions.db", "a cluster has only database 0");
    let prefix = ["keyPrefix", "redisOptions.keyPrefix"].into_iter().find(|name| cache.0.has(name));
    prefix.into_iter().for_each(|name| cache.prefix(name));
    cache.ignore(&["redisOptions.keyPrefix"], "keyPrefix is used instead");
    cache.connection("redisOptions.");
    tls(cache, "redisOptions.tls", "redis.tls");
    cache.ignore(
        &["redisOptions.host", "redisOptions.port", "redisOptions.path"],
        "nodes are used instead",
    );
    cache.0.map_integer(
        "maxRedirections",
        "redis.cluster.max_redirections",
        1..=i64::from(u32::MAX),
    );
    cache.0.map_millis("slotsRefreshInterval", "redis.cluster.refresh");
    nat_map(cache, "redis.cluster.nat_map");
    match cache.0.text("scaleReads").as_deref() {
        None => {}
        Some("master") => cache.0.idle("scaleReads", "no profile is ever read"),
        Some(_) => cache.0.read_from_replicas("scaleReads", true),
    }
    cache.0.later("useSRVRecords", "nodes from SRV records");
    cache.0.skip_all(&unused::CLUSTER);
    cache.ignore(&unused::SENTINEL_ONLY, "used only with sentinels");
    cache.ignore(
        &unused::OF_ONE_SERVER,
        "deepstream looks for it only in redisOptions when there are nodes",
    );
    let connection = unused::CONNECTION.map(|(name, _)| name);
    cache.ignore(&connection, "deepstream looks for it only in redisOptions when there are nodes");
}
