//! `[redis.sentinel]`: the keys for `mode = "sentinel"`, as typed and as valid.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::node::{NatMap, Node, NodeText};
use super::nodes::{Login, RawNode, endpoints, merged};
use super::password::fixed_or_file;
use super::protocol::Protocol;
use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::Secret;
use crate::config::sections::tls::{self, RawTls, Tls, UrlTls};

/// A sentinel's own port.
const PORT: u16 = 26379;

/// Sentinels, and the master to ask them for.
#[derive(Debug, Clone)]
pub struct Sentinel {
    pub master: String,
    /// The sentinels; at least one.
    pub nodes: Vec<Node>,
    /// Login at the sentinels; the master has a login of its own.
    pub login: Login,
    /// Logins of sentinels that have one of their own.
    pub logins: BTreeMap<Node, Login>,
    /// TLS to the sentinels; `None`: plain text.
    pub tls: Option<Tls>,
    /// Addresses that sentinels announce, and where they are reached from here.
    pub nat_map: NatMap,
}

/// With `mode = "sentinel"`: the sentinels, and which master to ask them for.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSentinel {
    /// The name that the sentinels have for the master.
    #[schemars(example = &"mymaster")]
    master: Option<String>,
    /// The sentinels: `"host:port"`, or tables as in `redis.nodes`.
    #[schemars(example = ["sentinel-1:26379"])]
    nodes: Option<Vec<RawNode>>,
    /// User of the sentinels' own access control list; `redis.username` is the master's.
    username: Option<String>,
    /// Password of the sentinels; `redis.password` is the master's.
    password: Option<Secret>,
    /// A file that holds the password; read again for each new connection.
    password_file: Option<PathBuf>,
    /// Addresses that sentinels announce, and where they are reached from here: `"10.0.0.1:6379" =
    /// "redis-1.example:6379"`.
    nat_map: BTreeMap<String, NodeText>,
    /// TLS to the sentinels; `redis.tls` is that to the master.
    tls: RawTls,
}

impl RawSentinel {
    pub(super) fn resolve(&self, report: &mut ConfigReport) -> Sentinel {
        let master = self.master.clone().unwrap_or_default();
        if master.is_empty() {
            report.error(
                "redis.sentinel.master",
                "name the master as the sentinels do (`sentinel monitor NAME ..`)",
            );
        }
        let mut nodes = endpoints("redis.sentinel.nodes", self.nodes.as_deref(), PORT, report);
        if self.nodes.as_ref().is_none_or(Vec::is_empty) {
            report.error("redis.sentinel.nodes", "name at least one sentinel");
        }
        for (n, _) in nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.database.is_some_and(|number| number != 0))
        {
            report.error(
                &format!("redis.sentinel.nodes[{n}]"),
                "sentinels have no databases: the master's is redis.database",
            );
        }
        for (n, _) in
            nodes.iter().enumerate().filter(|(_, node)| node.protocol == Some(Protocol::Resp3))
        {
            report.error(
                &format!("redis.sentinel.nodes[{n}]"),
                "sentinels are spoken to in RESP2: redis.protocol is the master's",
            );
        }
        let password = fixed_or_file(
            report,
            "redis.sentinel.password",
            self.password.as_ref(),
            self.password_file.as_deref(),
        );
        // A file that cannot be read was said already.
        if self.username.is_some() && password.is_none() && self.password_file.is_none() {
            report.error("redis.sentinel.username", "a user name has no effect without a password");
        }
        let urls: Vec<UrlTls> = nodes.iter_mut().filter_map(|node| node.tls.take()).collect();
        let tls = self.tls.resolve(&tls::SENTINEL, &urls, report);
        let (nodes, logins) = merged(nodes);
        let login = Login { username: self.username.clone(), password };
        let nat_map = NatMap::resolve("redis.sentinel.nat_map", &self.nat_map, report);
        Sentinel { master, nodes, login, logins, tls, nat_map }
    }

    /// The typed keys, with TLS as it was decided.
    pub(super) fn effective(&self, valid: &Sentinel) -> Self {
        Self { tls: self.tls.effective(valid.tls.as_ref()), ..self.clone() }
    }
}
