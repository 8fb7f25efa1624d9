//! A cluster: `nodes`, and `redisOptions` for each connection.

use serde_json::Value;

use super::super::address::{ServerAddress, list};
use super::{Cache, Table, unused};

impl Cache {
    pub(super) fn cluster(&mut self) {
        self.0.draft.set("redis.mode", "cluster");
        let nodes = self.nodes("nodes", 6379);
        let has_secret = nodes.iter().any(|node| node.password.is_some());
        self.0.draft.set_and_tell("redis.nodes", list(&nodes), has_secret);
        self.0.mapped("nodes", "redis.mode, redis.nodes", "");
        self.login("redisOptions.");
        self.0.skip("redisOptions.db", "a cluster has only database 0");
        let prefix =
            ["keyPrefix", "redisOptions.keyPrefix"].into_iter().find(|name| self.0.has(name));
        prefix.into_iter().for_each(|name| self.prefix(name));
        self.ignore(&["redisOptions.keyPrefix"], "keyPrefix is used instead");
        self.connection("redisOptions.");
        self.tls("redisOptions.tls", "redis.tls");
        self.ignore(
            &["redisOptions.host", "redisOptions.port", "redisOptions.path"],
            "nodes are used instead",
        );
        self.0.map_integer(
            "maxRedirections",
            "redis.cluster.max_redirections",
            1..=i64::from(u32::MAX),
        );
        self.0.map_millis("slotsRefreshInterval", "redis.cluster.refresh");
        self.nat_map("redis.cluster.nat_map");
        match self.0.text("scaleReads").as_deref() {
            None => {}
            Some("master") => self.0.idle("scaleReads", "no profile is ever read"),
            Some(_) => self.0.read_from_replicas("scaleReads", true),
        }
        self.0.later("useSRVRecords", "nodes from SRV records");
        self.0.skip_all(&unused::CLUSTER);
        self.ignore(&unused::SENTINEL_ONLY, "used only with sentinels");
        self.ignore(
            &unused::OF_ONE_SERVER,
            "deepstream looks for it only in redisOptions when there are nodes",
        );
        let connection = unused::CONNECTION.map(|(name, _)| name);
        self.ignore(
            &connection,
            "deepstream looks for it only in redisOptions when there are nodes",
        );
    }

    /// A list of servers: `{host, port, username, password}`, a port, `host:port` or a URL. What
    /// else is in them is unknown.
    pub(super) fn nodes(&mut self, name: &str, port: u16) -> Vec<ServerAddress> {
        let Some(Value::Array(entries)) = self.0.take(name) else {
            self.0.fail(name, "is no list");
            return Vec::new();
        };
        let mut nodes = Vec::new();
        for (n, entry) in entries.into_iter().enumerate() {
            let at = format!("{name}[{n}]");
            let node = match entry {
                Value::Object(table) => self.node(&at, table, port),
                Value::Number(number) => ServerAddress::parse(&format!("127.0.0.1:{number}"), None),
                Value::String(text) if text.contains("://") => ServerAddress::from_url(&text, port),
                Value::String(text) => ServerAddress::parse(&text, Some(port)),
                _ => Err("is no server".into()),
            };
            nodes.extend(self.0.or_fail(&at, node));
        }
        nodes
    }

    fn node(&mut self, at: &str, mut table: Table, port: u16) -> Result<ServerAddress, String> {
        let mut text = |name: &str| match table.remove(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::Null) if name == "password" => {
                self.0
                    .defaulted(&format!("{at}.password"), "null: redis.password is sent there too");
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
            self.0.idle(
                &format!("{at}.username"),
                "there is no password beside it, so nobody logs in",
            );
        }
        for name in table.keys() {
            self.0.unknown(&format!("{at}.{name}"));
        }
        Ok(ServerAddress { username, password, ..ServerAddress::new(&host, port?)? })
    }

    /// Announced `host:port` to `{host, port}`, for `key`.
    pub(super) fn nat_map(&mut self, key: &str) {
        let Some(Value::Object(map)) = self.0.take("natMap") else { return };
        let mut table = toml::Table::new();
        for (announced, reached) in map {
            let Value::Object(reached) = reached else {
                return self.0.fail("natMap", "has an entry that is no host and port");
            };
            let at = format!("natMap.{announced}");
            let node = self.node(&at, reached, 6379);
            let Some(node) = self.0.or_fail("natMap", node) else { return };
            table.insert(announced, node.text().into());
        }
        self.0.map("natMap", key, table);
    }
}
