//! Lists of nodes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Protocol;
use super::password::{Password, typed};
use super::url::{Place, UrlText, host_name};
use crate::config::engine::report::Report;
use crate::config::engine::secrets::quotable;
use crate::config::engine::units::{Secret, text_form};
use crate::config::sections::tls::UrlTls;

/// Redis's own port.
pub(super) const PORT: u16 = 6379;

/// Longest name of a host, in bytes.
const LONGEST_HOST: usize = 255;

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

impl Node {
    /// As a server announces one; `None` when that is no host: nothing else of what it says is used
    /// to connect, or shown.
    pub fn announced(host: &str, port: u16) -> Option<Self> {
        let is_host = !host.is_empty()
            && host.len() <= LONGEST_HOST
            && host.chars().all(|c| c.is_alphanumeric() || "-_.:%[]".contains(c));
        is_host.then(|| Self { host: host.trim_matches(['[', ']']).to_owned(), port })
    }
}

/// Who to log in as.
#[derive(Debug, Clone, Default)]
pub struct Login {
    pub username: Option<String>,
    pub password: Option<Password>,
}

impl Login {
    fn is_same(&self, other: &Self) -> bool {
        let passwords = match (&self.password, &other.password) {
            (Some(a), Some(b)) => a.is_same(b),
            (a, b) => a.is_none() && b.is_none(),
        };
        passwords && self.username == other.username
    }
}

/// `host:port`, or `host` alone.
#[derive(Debug, Clone)]
pub(super) struct NodeText((String, Option<u16>));

text_form!(NodeText, "node", "redis-1:6379", parse_node, print_node);

impl NodeText {
    /// `port` is what holds without one.
    pub(super) fn node(&self, port: u16) -> Node {
        let (host, own) = &self.0;
        Node { host: host.clone(), port: own.unwrap_or(port) }
    }
}

pub(crate) fn parse_node(text: &str) -> Result<(String, Option<u16>), String> {
    if text.contains("://") {
        return Err("a URL is written { url = \"redis://..\" }".to_owned());
    }
    // The colons of an IPv6 address are inside brackets.
    let (host, port) =
        match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (
                    host,
                    Some(port.ok_or_else(|| {
                        format!("{:?} has no port from 1 to 65535", quotable(text))
                    })?),
                )
            }
            _ => (text, None),
        };
    Ok((host_name(host)?, port))
}

fn print_node((host, port): &(String, Option<u16>)) -> String {
    match port {
        Some(port) => Node { host: host.clone(), port: *port }.to_string(),
        None if host.contains(':') => format!("[{host}]"),
        None => host.clone(),
    }
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
    /// Default: redis.database.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    database: Option<u32>,
}

/// Addresses that servers announce, and where they are reached from here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatMap(BTreeMap<Node, Node>);

impl NatMap {
    /// `typed` is what stands in the table `key`.
    pub(super) fn resolve(
        key: &str,
        typed: &BTreeMap<String, NodeText>,
        report: &mut Report,
    ) -> Self {
        let mut pairs = BTreeMap::new();
        for (announced, reached) in typed {
            match parse_node(announced) {
                Ok(announced) => {
                    drop(pairs.insert(NodeText(announced).node(PORT), reached.node(PORT)))
                }
                Err(error) => report.error(&format!("{key}.{}", quotable(announced)), error),
            }
        }
        Self(pairs)
    }

    /// Where the server is reached that is announced as `node`.
    pub fn reached(&self, node: Node) -> Node {
        self.0.get(&node).cloned().unwrap_or(node)
    }
}

/// What was said of one of several servers.
pub(super) struct Endpoint {
    pub(super) node: Node,
    /// Its own, if it has one.
    pub(super) login: Option<Login>,
    pub(super) database: Option<u32>,
    pub(super) protocol: Option<Protocol>,
    /// What its URL says, if it has one.
    pub(super) tls: Option<UrlTls>,
}

impl Endpoint {
    /// An address, and nothing else.
    pub(super) fn plain(node: Node) -> Self {
        Self { node, login: None, database: None, protocol: None, tls: None }
    }
}

impl RawNode {
    /// `at` is the key, such as `redis.nodes[1]`; `port` what holds without one.
    fn resolve(&self, at: &str, port: u16, report: &mut Report) -> Option<Endpoint> {
        let table = match self {
            Self::Text(text) => return Some(Endpoint::plain(text.node(port))),
            Self::Table(table) => table,
        };
        let own = typed(
            report,
            &format!("{at}.password"),
            table.password.as_ref(),
            table.password_file.as_deref(),
        );
        let mut endpoint = match table.url.as_ref().map(UrlText::url) {
            Some(_) if table.host.is_some() || table.port.is_some() => {
                report.error(at, "url is given beside host or port: give one");
                return None;
            }
            Some(url) => match &url.place {
                Place::Unix(_) => {
                    report.error(at, "a unix socket cannot be one of several nodes");
                    return None;
                }
                Place::Tcp { host, port: own } => Endpoint {
                    node: Node { host: host.clone(), port: own.unwrap_or(port) },
                    login: Some(Login {
                        username: url.username.clone(),
                        password: url.password.clone().map(Password::Fixed),
                    }),
                    database: url.database,
                    protocol: url.protocol,
                    tls: Some(UrlTls {
                        key: at.to_owned(),
                        secure: url.tls,
                        insecure: url.insecure,
                    }),
                },
            },
            None => match table.host.as_deref().map(host_name) {
                Some(Ok(host)) => {
                    let node = Node { host, port: table.port.unwrap_or(port) };
                    Endpoint::plain(node)
                }
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
        let login = endpoint.login.get_or_insert_default();
        let mut differ =
            |key: &str| report.error(at, format_args!("its url and its {key} differ: give one"));
        if login.username.is_some() && table.username.is_some() && login.username != table.username
        {
            differ("username");
        }
        if let (Some(in_url), Some(own)) = (&login.password, &own)
            && !in_url.is_same(own)
        {
            differ("password");
        }
        if endpoint.database.is_some()
            && table.database.is_some()
            && endpoint.database != table.database
        {
            differ("database");
        }
        login.username = login.username.take().or_else(|| table.username.clone());
        login.password = login.password.take().or(own);
        endpoint.database = endpoint.database.or(table.database);
        endpoint.login =
            endpoint.login.filter(|login| login.username.is_some() || login.password.is_some());
        Some(endpoint)
    }
}

/// Those of the list `key` that are right; `port` is what holds without one.
pub(super) fn endpoints(
    key: &str,
    nodes: Option<&[RawNode]>,
    port: u16,
    report: &mut Report,
) -> Vec<Endpoint> {
    let mut found: Vec<Endpoint> = Vec::new();
    for (n, node) in nodes.unwrap_or_default().iter().enumerate() {
        let at = format!("{key}[{n}]");
        let Some(endpoint) = node.resolve(&at, port, report) else { continue };
        let above = found
            .iter()
            .filter(|above| above.node == endpoint.node)
            .find_map(|above| above.login.as_ref());
        if above.zip(endpoint.login.as_ref()).is_some_and(|(above, own)| !above.is_same(own)) {
            report.error(
                &at,
                format_args!("{} has another login above: a server has one", endpoint.node),
            );
        }
        found.push(endpoint);
    }
    found
}

/// Merges duplicates.
pub(super) fn merged(endpoints: Vec<Endpoint>) -> (Vec<Node>, BTreeMap<Node, Login>) {
    let (mut all, mut logins) = (Vec::new(), BTreeMap::new());
    for Endpoint { node, login, .. } in endpoints {
        if let Some(login) = login {
            logins.entry(node.clone()).or_insert(login);
        }
        if !all.contains(&node) {
            all.push(node);
        }
    }
    (all, logins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_a_host_and_may_have_a_port() {
        let nodes = [
            ("a:1", "a", Some(1)),
            ("a", "a", None),
            ("[::1]:7", "::1", Some(7)),
            ("[::1]", "::1", None),
        ];
        for (text, host, port) in nodes {
            let node = parse_node(text).unwrap();
            assert_eq!((node.0.as_str(), node.1), (host, port), "{text}");
            assert_eq!(print_node(&node), text);
        }
        for text in ["", ":1", "a:0", "a:x", "redis://a:1", "a b:1"] {
            assert!(parse_node(text).is_err(), "{text}");
        }
    }
}
