//! One server.

use secrecy::ExposeSecret;

use super::super::address::ServerAddress;
use super::{Cache, unused};
use crate::config::sections::redis::url::{Place, RedisUrl};

impl Cache {
    pub(super) fn standalone(&mut self) {
        self.0.draft.set_default("redis.mode", "standalone", "there are no nodes and no sentinels");
        self.server();
        self.login("");
        self.0.map_integer("db", "redis.database", 0..=i64::from(i32::MAX));
        self.prefix("keyPrefix");
        self.connection("");
        self.tls("tls", "redis.tls");
        self.ignore(&unused::SENTINEL_ONLY, "used only with sentinels");
        self.ignore(&unused::CLUSTER_ONLY, "used only with nodes");
        self.ignore(&["natMap"], "used only with sentinels or nodes");
    }

    fn server(&mut self) {
        if let Some(path) = self.0.text("path") {
            self.ignore(&["host", "port", "url"], "path is used instead");
            self.ignore(&["tls", "keepAlive"], "a unix socket has none");
            if path.starts_with('/') {
                self.0.map("path", "redis.url", format!("unix://{path}"));
            } else {
                self.0.fail("path", "is no absolute path");
            }
        } else if let Some(url) = self.0.text("url") {
            self.ignore(&["host", "port", "password"], "url is used instead");
            self.url(&url);
        } else {
            self.host_and_port();
        }
    }

    /// deepstream takes host, port and password of the URL, and drops the rest.
    fn url(&mut self, text: &str) {
        let Some(url) = self.0.or_fail("url", RedisUrl::parse(text)) else { return };
        let Place::Tcp { host, port } = &url.place else {
            return self
                .0
                .fail("url", "is the URL of a unix socket, which deepstream takes as path");
        };
        let Some(node) = self.0.or_fail("url", ServerAddress::new(host, port.unwrap_or(6379)))
        else {
            return;
        };
        self.0.set_server(&node);
        let drops = url.username.is_some() || url.database.is_some() || url.tls;
        self.0.mapped(
            "url",
            "redis.url",
            if drops { "deepstream drops its user, database and TLS" } else { "" },
        );
        if let Some(password) = url.password {
            self.0.draft.set_secret("redis.password", password.expose_secret());
        }
    }

    fn host_and_port(&mut self) {
        let given = [self.0.has("host"), self.0.has("port")];
        let host = self.0.text("host").unwrap_or_else(|| "localhost".into());
        let port = self.0.port("port").unwrap_or(6379);
        let Some(node) = self.0.or_fail("host", ServerAddress::new(&host, port)) else { return };
        if given == [false, false] {
            return self.0.draft.set_default(
                "redis.url",
                node.url(),
                "neither host nor port is given",
            );
        }
        self.0.set_server(&node);
        for (name, given) in ["host", "port"].into_iter().zip(given) {
            match given {
                true => self.0.mapped(name, "redis.url", ""),
                false => self.0.defaulted(&format!("{name} of redis.url"), "not given"),
            }
        }
    }
}
