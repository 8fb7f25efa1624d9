//! Lists of servers, and addresses that servers announce.

use serde_json::Value;

use super::cache::Cache;
use crate::import::address::ServerAddress;
use crate::import::syntax::Table;

/// A list of servers: `{host, port, username, password}`, a port, `host:port` or a URL. What
/// else is in them is unknown.
pub(super) fn nodes(cache: &mut Cache, name: &str, port: u16) -> Vec<ServerAddress> {
    let Some(Value::Array(entries)) = cache.0.take(name) else {
        cache.0.fail(name, "is not a list");
        return Vec::new();
    };
    let mut nodes = Vec::new();
    for (n, entry) in entries.into_iter().enumerate() {
        let at = format!("{name}[{n}]");
        let node = match entry {
            Value::Object(table) => node(cache, &at, table, port),
            Value::Number(number) => ServerAddress::parse(&format!("127.0.0.1:{number}"), None),
            Value::String(text) if text.contains("://") => ServerAddress::from_url(&text, port),
            Value::String(text) => ServerAddress::parse(&text, Some(port)),
            _ => Err("is not a server".into()),
        };
        nodes.extend(cache.0.or_fail(&at, node));
    }
    nodes
}

fn node(cache: &mut Cache, at: &str, mut table: Table, port: u16) -> Result<ServerAddress, String> {
    let mut text = |name: &str| match table.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Null) if name == "password" => {
            cache.0.defaulted(&format!("{at}.password"), "null: redis.password is sent there too");
            None
        }
        _ => None,
    };
    let host = text("host").unwrap_or_else(|| "127.0.0.1".into());
    let port = match text("port").map(|port| port.trim().parse()) {
        None => Ok(port),
        Some(Ok(port)) if port > 0 => Ok(port),
        Some(_) => Err("has no port from 1 to 65535"),
    };
    let (mut username, password) = (text("username"), text("password"));
    if password.is_none() && username.take().is_some() {
        cache.0.idle(
            &format!("{at}.username"),
            "there is no password beside it, so there is no login",
        );
    }
    for name in table.keys() {
        cache.0.unknown(&format!("{at}.{name}"));
    }
    Ok(ServerAddress { username, password, ..ServerAddress::new(&host, port?)? })
}

/// Announced `host:port` to `{host, port}`, for `key`.
pub(super) fn nat_map(cache: &mut Cache, key: &str) {
    let Some(Value::Object(map)) = cache.0.take("natMap") else { return };
    let mut table = toml::Table::new();
    for (announced, reached) in map {
        let Value::Object(reached) = reached else {
            return cache.0.fail("natMap", "has an entry that is not a host and a port");
        };
        let at = format!("natMap.{announced}");
        let node = node(cache, &at, reached, 6379);
        let Some(node) = cache.0.or_fail("natMap", node) else { return };
        table.insert(announced, node.text().into());
    }
    cache.0.map("natMap", key, table);
}
