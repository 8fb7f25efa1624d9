//! Lists of nodes, which may have logins of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::node::{Node, NodeText};
use super::password::{Password, fixed_or_file};
use super::protocol::Protocol;
use super::url::{UrlAddress, UrlText};
use crate::config::engine::host::host_name;
use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::Secret;
use crate::config::sections::tls::UrlTls;

/// User name and password for one server.
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
    /// The server's URL, instead of host and port.
    url: Option<UrlText>,
    /// Name or IP address.
    host: Option<String>,
    /// Port. Default: 6379, of a sentinel 26379.
    #[schemars(range(min = 1, max = 65535))]
    port: Option<u16>,
    /// User name. Default: `redis.username`.
    username: Option<String>,
    /// Password. Default: `redis.password`.
    password: Option<Secret>,
    /// A file that holds the password; read again for each new connection.
    password_file: Option<PathBuf>,
    /// Number of the database. Default: `redis.database`.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    database: Option<u32>,
}

/// One valid entry of a list of nodes.
pub(super) struct Endpoint {
    pub(super) node: Node,
    /// Its own, if it has one.
    pub(super) login: Option<Login>,
    pub(super) database: Option<u32>,
    pub(super) protocol: Option<Protocol>,
    /// TLS as its URL has it, if it has a URL.
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
    fn resolve(&self, at: &str, port: u16, report: &mut ConfigReport) -> Option<Endpoint> {
        let table = match self {
            Self::Text(text) => return Some(Endpoint::plain(text.node(port))),
            Self::Table(table) => table,
        };
        let own = fixed_or_file(
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
            Some(url) => match &url.address {
                UrlAddress::Unix(_) => {
                    report.error(at, "a unix socket cannot be one of several nodes");
                    return None;
                }
                UrlAddress::Tcp { host, port: own } => Endpoint {
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

/// The valid entries of the list `key`; `port` is the port of those without one.
pub(super) fn endpoints(
    key: &str,
    nodes: Option<&[RawNode]>,
    port: u16,
    report: &mut ConfigReport,
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

/// The nodes without duplicates, and the logins of those that have one of their own.
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
