//! `[redis]`: which server, how to log in, which prefix.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nodes::{CLUSTER_KEYS, Cluster, Login, Node, RawCluster, RawNode, merged};
use super::password::{Password, Typed};
use super::prefix::prefix;
use super::redis_url::{Place, RedisUrl, UrlText, host_name};
use super::report::Report;
use super::tcp::Tcp;
use super::tls::{RawTls, Tls};
use super::units::{Listen, Secret, Span};

#[derive(Debug, Clone)]
pub struct Redis {
    pub mode: Mode,
    pub username: Option<String>,
    pub password: Option<Password>,
    /// Of nodes that have one of their own.
    pub logins: BTreeMap<Node, Login>,
    pub database: u32,
    /// Trimmed as JavaScript trims; empty: none.
    pub prefix: String,
    pub client_name: String,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
    pub tcp: Tcp,
    /// `None`: plain text.
    pub tls: Option<Tls>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    Standalone(Address),
    /// The in-process store, listening here.
    Embedded(SocketAddr),
    Cluster(Cluster),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// Where profiles are written: the hash `[prefix:]user:<id>`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawRedis {
    mode: ModeName,
    /// redis://, rediss:// (TLS), valkey://, valkeys:// or unix://. Or host, port, username, password, database.
    url: Option<UrlText>,
    /// Several servers: "host:port", or { url } or { host, port, username, password, password_file } for a login of its own.
    nodes: Option<Vec<RawNode>>,
    /// Name or IP address.
    host: Option<String>,
    #[schemars(range(min = 1, max = 65535))]
    port: Option<u16>,
    /// User of Redis's access control list.
    username: Option<String>,
    password: Option<Secret>,
    /// A file that holds the password; read again for each new connection.
    password_file: Option<PathBuf>,
    /// A program and its arguments, run without a shell for each new connection; it prints the password.
    password_command: Option<Vec<String>>,
    #[schemars(range(min = 0, max = 2_147_483_647))]
    database: Option<u32>,
    /// Keys are `[prefix:]user:<id>`.
    prefix: Option<String>,
    /// What CLIENT LIST calls the connections.
    client_name: String,
    connect_timeout: Span,
    /// No reply at all for this long: the connection is made anew.
    response_timeout: Span,
    /// TCP: silence before the server is asked whether it is still there; 0s: never.
    keepalive: Option<Span>,
    /// TCP on Linux: how long what was sent may stay unconfirmed; 0s: as the system has it.
    user_timeout: Option<Span>,
    tls: RawTls,
    cluster: Option<RawCluster>,
    embedded: Option<RawEmbedded>,
}

/// Which kind of Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ModeName {
    /// One server.
    #[default]
    Standalone,
    /// A Redis Cluster.
    Cluster,
    /// A store inside this process that keeps nothing: for trying things.
    Embedded,
}

/// The store inside this process, with `mode = "embedded"`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RawEmbedded {
    /// Loopback address and port.
    listen: Listen,
}

impl Default for RawEmbedded {
    fn default() -> Self {
        Self { listen: Listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 6399))) }
    }
}

impl Default for RawRedis {
    fn default() -> Self {
        Self {
            mode: ModeName::default(),
            url: None,
            nodes: None,
            host: None,
            port: None,
            username: None,
            password: None,
            password_file: None,
            password_command: None,
            database: None,
            prefix: None,
            client_name: "traitsink".into(),
            connect_timeout: Span::secs(5),
            response_timeout: Span::secs(2),
            keepalive: None,
            user_timeout: None,
            tls: RawTls::default(),
            cluster: None,
            embedded: None,
        }
    }
}

/// Who to log in as, and where.
struct Target {
    mode: Mode,
    username: Option<String>,
    password: Option<Password>,
    logins: BTreeMap<Node, Login>,
    database: u32,
    tls: Option<Tls>,
}

impl RawRedis {
    pub(super) fn resolve(&self, report: &mut Report) -> Redis {
        report.not_zero("redis.connect_timeout", self.connect_timeout);
        report.not_zero("redis.response_timeout", self.response_timeout);
        if self.client_name.contains(|c: char| !c.is_ascii_graphic()) {
            report.error("redis.client_name", "Redis takes no blanks, line ends or letters beyond ASCII in a client's name");
        }
        let target = match self.mode {
            ModeName::Standalone => self.standalone(report),
            ModeName::Cluster => self.cluster(report),
            ModeName::Embedded => self.embedded(report),
        };
        Redis {
            mode: target.mode,
            username: target.username,
            password: target.password,
            logins: target.logins,
            database: target.database,
            prefix: prefix(report, "redis.prefix", self.prefix.as_deref()),
            client_name: self.client_name.clone(),
            connect_timeout: self.connect_timeout.0,
            response_timeout: self.response_timeout.0,
            tcp: Tcp::resolve(self.keepalive, self.user_timeout, report),
            tls: target.tls,
        }
    }

    fn embedded(&self, report: &mut Report) -> Target {
        let why = "with redis.mode = \"embedded\"";
        for key in ["url", "nodes", "host", "port", "username", "password", "password_file", "password_command"] {
            report.no_effect(&format!("redis.{key}"), why);
        }
        CLUSTER_KEYS.iter().for_each(|key| report.no_effect(key, why));
        self.tls.unused(why, report);
        let listen = self.embedded.clone().unwrap_or_default().listen.0;
        if !listen.ip().to_canonical().is_loopback() {
            report.error("redis.embedded.listen", format_args!("{listen} is not a loopback address: it has no access control"));
        }
        let database = self.database.unwrap_or_default();
        Target { mode: Mode::Embedded(listen), username: None, password: None, logins: BTreeMap::new(), database, tls: None }
    }

    fn standalone(&self, report: &mut Report) -> Target {
        let why = "with redis.mode = \"standalone\"";
        ["redis.embedded.listen", "redis.nodes"].iter().chain(&CLUSTER_KEYS).for_each(|key| report.no_effect(key, why));
        let url = self.url.as_ref().map(UrlText::url);
        let (username, password) = self.login(url, report);
        let database = one(report, "database", url.and_then(|url| url.database), "database", self.database).unwrap_or_default();
        let address = self.address(url, report);
        let tls = self.tls(url, matches!(address, Address::Unix(_)), report);
        Target { mode: Mode::Standalone(address), username, password, logins: BTreeMap::new(), database, tls }
    }

    fn cluster(&self, report: &mut Report) -> Target {
        report.no_effect("redis.embedded.listen", "with redis.mode = \"cluster\"");
        let url = self.url.as_ref().map(UrlText::url);
        let (username, password) = self.login(url, report);
        if one(report, "database", url.and_then(|url| url.database), "database", self.database).is_some_and(|number| number != 0)
        {
            let key = if self.database.is_some() { "redis.database" } else { "redis.url" };
            report.error(key, "a cluster has only database 0");
        }
        let mut nodes: Vec<_> = self
            .nodes
            .iter()
            .flatten()
            .enumerate()
            .filter_map(|(n, node)| node.resolve(&format!("redis.nodes[{n}]"), report))
            .collect();
        if self.url.is_some() || self.host.is_some() || self.port.is_some() {
            match self.address(url, report) {
                Address::Tcp { host, port } => nodes.insert(0, (Node { host, port }, None)),
                Address::Unix(_) => report.error("redis.url", "a cluster is not reached through a unix socket"),
            }
        } else if self.nodes.as_ref().is_none_or(Vec::is_empty) {
            report.error("redis.nodes", "name at least one node of the cluster");
        }
        let tls = self.tls(url, false, report);
        let (seeds, logins) = merged(nodes);
        let mode = Mode::Cluster(self.cluster.clone().unwrap_or_default().resolve(seeds, report));
        Target { mode, username, password, logins, database: 0, tls }
    }

    /// User name and password of the URL or of the keys.
    fn login(&self, url: Option<&RedisUrl>, report: &mut Report) -> (Option<String>, Option<Password>) {
        let password = self.password(url, report);
        let username = one(report, "user name", url.and_then(|url| url.username.clone()), "username", self.username.clone());
        if username.is_some() && password.is_none() {
            let key = if self.username.is_some() { "redis.username" } else { "redis.url" };
            report.error(key, "a user name has no effect without a password; a password alone is written redis://:PASSWORD@host");
        }
        (username, password)
    }

    fn address(&self, url: Option<&RedisUrl>, report: &mut Report) -> Address {
        let typed = self.host.as_deref().and_then(|host| match host_name(host) {
            Ok(host) => Some(host),
            Err(error) => {
                report.error("redis.host", format_args!("{error}; the port has a key of its own"));
                None
            }
        });
        let (host, port) = match url.map(|url| &url.place) {
            Some(Place::Unix(path)) => {
                for key in ["redis.host", "redis.port", "redis.keepalive", "redis.user_timeout"] {
                    report.no_effect(key, "beside the unix socket of redis.url");
                }
                return Address::Unix(path.clone());
            }
            Some(Place::Tcp { host, port }) => (Some(host.clone()), *port),
            None => (None, None),
        };
        let host = one(report, "host", host, "host", typed).unwrap_or_else(|| "127.0.0.1".into());
        let port = one(report, "port", port, "port", self.port).unwrap_or(6379);
        Address::Tcp { host, port }
    }

    fn password(&self, url: Option<&RedisUrl>, report: &mut Report) -> Option<Password> {
        let typed = Typed {
            in_url: url.and_then(|url| url.password.as_ref()),
            text: self.password.as_ref(),
            file: self.password_file.as_deref(),
            command: self.password_command.as_deref(),
        };
        typed.resolve(report)
    }

    fn tls(&self, url: Option<&RedisUrl>, on_socket: bool, report: &mut Report) -> Option<Tls> {
        let (secure, insecure) = url.map_or((false, false), |url| (url.tls, url.insecure));
        if secure && !self.tls.enabled && report.given("redis.tls.enabled") {
            let url = report.place("redis.url");
            report.error("redis.tls.enabled", format_args!("is false, but {url} says rediss://: give one"));
        }
        if on_socket {
            self.tls.unused("on a unix socket", report);
        } else if secure || self.tls.enabled {
            return Some(self.tls.resolve(insecure, report));
        } else {
            self.tls.unused("without TLS: set redis.tls.enabled = true or write rediss://", report);
        }
        if insecure {
            report.warn(format!("{}: #insecure changes nothing without TLS", report.place("redis.url")));
        }
        None
    }

    /// What `valid` came to, in the form that is typed; what has no effect in its mode is left out.
    pub(super) fn effective(&self, valid: &Redis) -> Self {
        let (host, port, place, embedded) = match &valid.mode {
            // What was typed says it all, and its nodes' secrets are shown as such.
            Mode::Cluster(_) => {
                let cluster = Some(self.cluster.clone().unwrap_or_default());
                return Self { tls: self.tls.effective(valid.tls.as_ref()), cluster, ..self.clone() };
            }
            Mode::Embedded(listen) => (None, None, None, Some(RawEmbedded { listen: Listen(*listen) })),
            Mode::Standalone(Address::Unix(path)) => (None, None, Some(Place::Unix(path.clone())), None),
            Mode::Standalone(Address::Tcp { host, port }) => {
                let place = Place::Tcp { host: host.clone(), port: Some(*port) };
                (Some(host.clone()), Some(*port), Some(place), None)
            }
        };
        let url = place.map(|place| RedisUrl {
            place,
            username: valid.username.clone(),
            password: match &valid.password {
                Some(Password::Fixed(password)) => Some(password.clone()),
                _ => None,
            },
            database: Some(valid.database),
            tls: valid.tls.is_some(),
            insecure: valid.tls.as_ref().is_some_and(|tls| tls.skip_verify),
        });
        let (keepalive, user_timeout) = match &valid.mode {
            Mode::Standalone(Address::Unix(_)) => (None, None),
            _ => valid.tcp.effective(),
        };
        Self {
            url: url.map(UrlText::new),
            host,
            port,
            username: valid.username.clone(),
            password_command: self.password_command.clone().filter(|words| !words.is_empty()),
            database: Some(valid.database),
            keepalive,
            user_timeout,
            prefix: Some(valid.prefix.clone()),
            tls: self.tls.effective(valid.tls.as_ref()),
            cluster: None,
            embedded,
            ..self.clone()
        }
    }
}

/// What the URL or the key `redis.{key}` says; an error quoting both if they differ.
fn one<T: PartialEq + Debug>(report: &mut Report, part: &str, in_url: Option<T>, key: &str, typed: Option<T>) -> Option<T> {
    if let (Some(a), Some(b)) = (&in_url, &typed)
        && a != b
    {
        let place = report.place(&format!("redis.{key}"));
        report.error("redis.url", format_args!("its {part} is {a:?}, but {place} is {b:?}: give one"));
    }
    in_url.or(typed)
}
