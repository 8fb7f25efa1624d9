//! One server.

use secrecy::ExposeSecret;

use super::cache::Cache;
use super::tls::tls;
use super::unused;
use crate::config::{RedisUrl, UrlAddress};
use crate::import::address::ServerAddress;

pub(super) fn convert(cache: &mut Cache) {
    cache.0.draft.set_default("redis.mode", "standalone", "there are no nodes and no sentinels");
    server(cache);
    cache.login("");
    cache.0.map_integer("db", "redis.database", 0..=i64::from(i32::MAX));
    cache.prefix("keyPrefix");
    cache.connection("");
    tls(cache, "tls", "redis.tls");
    cache.ignore(&unused::SENTINEL_ONLY, "used only with sentinels");
    cache.ignore(&unused::CLUSTER_ONLY, "used only with nodes");
    cache.ignore(&["natMap"], "used only with sentinels or nodes");
}

fn server(cache: &mut Cache) {
    if let Some(path) = cache.0.text("path") {
        cache.ignore(&["host", "port", "url"], "path is used instead");
        cache.ignore(&["tls", "keepAlive"], "a unix socket has none");
        if path.starts_with('/') {
            cache.0.map("path", "redis.url", format!("unix://{path}"));
        } else {
            cache.0.fail("path", "is not an absolute path");
        }
    } else if let Some(url) = cache.0.text("url") {
        cache.ignore(&["host", "port", "password"], "url is used instead");
        server_of_url(cache, &url);
    } else {
        host_and_port(cache);
    }
}

/// deepstream takes host, port and password of the URL, and drops the rest.
fn server_of_url(cache: &mut Cache, text: &str) {
    let Some(url) = cache.0.or_fail("url", RedisUrl::parse(text)) else { return };
    let UrlAddress::Tcp { host, port } = &url.address else {
        return cache.0.fail("url", "is the URL of a unix socket, which deepstream takes as path");
    };
    let Some(node) = cache.0.or_fail("url", ServerAddress::new(host, port.unwrap_or(6379))) else {
        return;
    };
    cache.0.set_server(&node);
    let drops = url.username.is_some() || url.database.is_some() || url.tls;
    cache.0.mapped(
        "url",
        "redis.url",
        if drops { "deepstream drops its user, database and TLS" } else { "" },
    );
    if let Some(password) = url.password {
        cache.0.draft.set_secret("redis.password", password.expose_secret());
    }
}

fn host_and_port(cache: &mut Cache) {
    let given = [cache.0.has("host"), cache.0.has("port")];
    let host = cache.0.text("host").unwrap_or_else(|| "localhost".into());
    let port = cache.0.port("port").unwrap_or(6379);
    let Some(node) = cache.0.or_fail("host", ServerAddress::new(&host, port)) else { return };
    if given == [false, false] {
        return cache.0.draft.set_default(
            "redis.url",
            node.url(),
            "neither host nor port is given",
        );
    }
    cache.0.set_server(&node);
    for (name, given) in ["host", "port"].into_iter().zip(given) {
        match given {
            true => cache.0.mapped(name, "redis.url", ""),
            false => cache.0.defaulted(&format!("{name} of redis.url"), "not given"),
        }
    }
}
