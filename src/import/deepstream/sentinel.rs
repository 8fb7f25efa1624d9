//! A master that sentinels know.

use super::cache::Cache;
use super::nodes::{nat_map, nodes};
use super::tls::tls;
use super::unused;
use crate::import::address::list;

pub(super) fn convert(cache: &mut Cache) {
    cache.0.draft.set("redis.mode", "sentinel");
    let mut nodes = nodes(cache, "sentinels", 26379);
    for (n, node) in nodes.iter_mut().enumerate() {
        if node.password.take().is_some() {
            node.username = None;
            cache.0.idle(
                &format!("sentinels[{n}].password"),
                "only sentinelPassword is sent to sentinels",
            );
        }
    }
    cache.0.draft.set("redis.sentinel.nodes", list(&nodes));
    cache.0.mapped("sentinels", "redis.mode, redis.sentinel.nodes", "");
    if cache.0.has("name") {
        cache.0.map_text("name", "redis.sentinel.master");
    } else {
        cache.0.fail(
            "name",
            "is missing, and no master has a name by default; set redis.sentinel.master",
        );
    }
    if cache.secret("sentinelPassword", "redis.sentinel.password") {
        cache.0.map_text("sentinelUsername", "redis.sentinel.username");
    } else {
        cache.0.skip("sentinelUsername", "there is no sentinelPassword, so there is no login");
    }
    cache.login("");
    cache.0.map_integer("db", "redis.database", 0..=i64::from(i32::MAX));
    cache.prefix("keyPrefix");
    cache.connection("");
    tls_of_both(cache);
    nat_map(cache, "redis.sentinel.nat_map");
    cache.0.skip_all(&unused::SENTINEL);
    cache.ignore(&unused::CLUSTER_ONLY, "used only with nodes");
    cache.ignore(&["host", "port", "path", "url"], "sentinels are used instead");
}

/// TLS to the sentinels and to the master: ioredis uses `tls` behind Sentinel only with
/// `enableTLSForSentinelMode`.
fn tls_of_both(cache: &mut Cache) {
    tls(cache, "sentinelTLS", "redis.sentinel.tls");
    let name = "enableTLSForSentinelMode";
    let enabled = cache.0.flag(name);
    if enabled == Some(true) && cache.0.has("tls") {
        cache.0.mapped(name, "redis.tls.enabled", "");
        tls(cache, "tls", "redis.tls");
    } else {
        if enabled.is_some() {
            cache.0.idle(name, "there is no TLS to the master");
        }
        cache.0.skip("tls", "used behind Sentinel only with enableTLSForSentinelMode: true");
    }
}
