//! A master that sentinels know.

use super::super::address::list;
use super::{Cache, unused};

impl Cache {
    pub(super) fn sentinel(&mut self) {
        self.0.draft.set("redis.mode", "sentinel");
        let mut nodes = self.nodes("sentinels", 26379);
        for (n, node) in nodes.iter_mut().enumerate() {
            if node.password.take().is_some() {
                node.username = None;
                self.0.idle(
                    &format!("sentinels[{n}].password"),
                    "only sentinelPassword is sent to sentinels",
                );
            }
        }
        self.0.draft.set("redis.sentinel.nodes", list(&nodes));
        self.0.mapped("sentinels", "redis.mode, redis.sentinel.nodes", "");
        if self.0.has("name") {
            self.0.map_text("name", "redis.sentinel.master");
        } else {
            self.0.fail(
                "name",
                "is missing, and no master has a name by default; set redis.sentinel.master",
            );
        }
        if self.secret("sentinelPassword", "redis.sentinel.password") {
            self.0.map_text("sentinelUsername", "redis.sentinel.username");
        } else {
            self.0.skip("sentinelUsername", "there is no sentinelPassword, so nobody logs in");
        }
        self.login("");
        self.0.map_integer("db", "redis.database", 0..=i64::from(i32::MAX));
        self.prefix("keyPrefix");
        self.connection("");
        self.tls_of_both();
        self.nat_map("redis.sentinel.nat_map");
        self.0.skip_all(&unused::SENTINEL);
        self.ignore(&unused::CLUSTER_ONLY, "used only with nodes");
        self.ignore(&["host", "port", "path", "url"], "sentinels are used instead");
    }

    /// ioredis looks at `tls` behind Sentinel only if it is told to.
    fn tls_of_both(&mut self) {
        self.tls("sentinelTLS", "redis.sentinel.tls");
        let name = "enableTLSForSentinelMode";
        let enabled = self.0.flag(name);
        if enabled == Some(true) && self.0.has("tls") {
            self.0.mapped(name, "redis.tls.enabled", "");
            self.tls("tls", "redis.tls");
        } else {
            if enabled.is_some() {
                self.0.idle(name, "there is no TLS to the master");
            }
            self.0.skip("tls", "used behind Sentinel only with enableTLSForSentinelMode: true");
        }
    }
}
