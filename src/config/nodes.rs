//! Lists of nodes, and `[redis.cluster]`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::redis_url::{Place, UrlText, host_name};
use super::report::Report;
use super::secrets::secret;
use super::units::{Secret, Span, text_form};

const PORT: u16 = 6379;

/// One server among several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Name or IP address, an IPv6 one without brackets.
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Who to log in as.
#[derive(Debug, Clone, Default)]
pub struct Login {
    pub username: Option<String>,
    pub password: Option<SecretString>,
}

/// A Redis Cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// At least one; the others are found through it.
    pub seeds: Vec<Node>,
    /// Times that a write is sent on before it is retried with a new map.
    pub max_redirections: u32,
    /// How often the map is asked for although nothing is wrong.
    pub refresh: Duration,
    /// Addresses that nodes announce, and where they are reached from here.
    pub nat_map: BTreeMap<String, Node>,
}

/// `host:port`.
#[derive(Debug, Clone)]
pub(super) struct NodeText(Node);

text_form!(NodeText, "node", "redis-1:6379", parse_node, Node::to_string);

/// Reads `host:port`, or `host` with Redis's own port.
pub(super) fn parse_node(text: &str) -> Result<Node, String> {
    if text.contains("://") {
        return Err("a URL is written { url = \"redis://..\" }".to_owned());
    }
    // The colons of an IPv6 address are inside brackets.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            (host, port.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("{text:?} has no port from 1 to 65535"))?)
        }
        _ => (text, PORT),
    };
    Ok(Node { host: host_name(host)?, port })
}

/// One of several servers.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawNode {
    Text(NodeText),
    Table(RawNodeTable),
}

/// A server with a login of its own.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawNodeTable {
    /// Instead of the other keys.
    url: Option<UrlText>,
    host: Option<String>,
    #[schemars(range(min = 1, max = 65535))]
    port: Option<u16>,
    /// Default: redis.username.
    username: Option<String>,
    /// Default: redis.password.
    password: Option<Secret>,
    password_file: Option<PathBuf>,
}

impl RawNode {
    /// The server and its own login; `at` is the key, such as `redis.nodes[1]`.
    pub(super) fn resolve(&self, at: &str, report: &mut Report) -> Option<(Node, Option<Login>)> {
        let table = match self {
            Self::Text(NodeText(node)) => return Some((node.clone(), None)),
            Self::Table(table) => table,
        };
        let typed = secret(report, &format!("{at}.password"), table.password.as_ref(), table.password_file.as_deref());
        let (host, port, mut login) = match table.url.as_ref().map(UrlText::url) {
            Some(_) if table.host.is_some() || table.port.is_some() => {
                report.error(at, "url is given beside host or port: give one");
                return None;
            }
            Some(url) => match &url.place {
                Place::Unix(_) => {
                    report.error(at, "a unix socket cannot be one of several nodes");
                    return None;
                }
                Place::Tcp { host, port } => {
                    (host.clone(), *port, Login { username: url.username.clone(), password: url.password.clone() })
                }
            },
            None => match table.host.as_deref().map(host_name) {
                Some(Ok(host)) => (host, table.port, Login::default()),
                Some(Err(error)) => {
                    report.error(&format!("{at}.host"), error);
                    return None;
                }
                None => {
                    report.error(at, "needs a url or a host");
                    return None;
                }
            },
        };
        login.username = login.username.or_else(|| table.username.clone());
        login.password = login.password.or(typed);
        let own = (login.username.is_some() || login.password.is_some()).then_some(login);
        Some((Node { host, port: port.unwrap_or(PORT) }, own))
    }
}

/// Merges duplicates; the first login counts.
pub(super) fn merged(nodes: Vec<(Node, Option<Login>)>) -> (Vec<Node>, BTreeMap<Node, Login>) {
    let (mut all, mut logins) = (Vec::new(), BTreeMap::new());
    for (node, login) in nodes {
        if let Some(login) = login {
            logins.entry(node.clone()).or_insert(login);
        }
        if !all.contains(&node) {
            all.push(node);
        }
    }
    (all, logins)
}

/// With `mode = "cluster"`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawCluster {
    /// Times that a write is sent on (MOVED, ASK) before it is retried with a new map.
    #[schemars(range(min = 1, max = 100))]
    max_redirections: u32,
    /// How often the nodes are asked who owns which slot although nothing is wrong.
    refresh: Span,
    /// Addresses that nodes announce, and where they are reached from here: `"10.0.0.1:6379" = "redis-1.example:6379"`.
    nat_map: BTreeMap<String, NodeText>,
}

impl Default for RawCluster {
    fn default() -> Self {
        Self { max_redirections: 16, refresh: Span::secs(60), nat_map: BTreeMap::new() }
    }
}

/// The keys of [`RawCluster`].
pub(super) const CLUSTER_KEYS: [&str; 3] = ["redis.cluster.max_redirections", "redis.cluster.refresh", "redis.cluster.nat_map"];

impl RawCluster {
    pub(super) fn resolve(&self, seeds: Vec<Node>, report: &mut Report) -> Cluster {
        report.not_zero("redis.cluster.refresh", self.refresh);
        Cluster {
            seeds,
            max_redirections: self.max_redirections,
            refresh: self.refresh.0,
            nat_map: self.nat_map.iter().map(|(announced, reached)| (announced.clone(), reached.0.clone())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_a_host_and_a_port() {
        for (text, host, port) in [("a:1", "a", 1), ("a", "a", 6379), ("[::1]:7", "::1", 7), ("[::1]", "::1", 6379)] {
            let node = parse_node(text).unwrap();
            assert_eq!((node.host.as_str(), node.port), (host, port), "{text}");
            assert_eq!(parse_node(&node.to_string()), Ok(node));
        }
        for text in ["", ":1", "a:0", "a:x", "redis://a:1", "a b:1"] {
            assert!(parse_node(text).is_err(), "{text}");
        }
    }
}
