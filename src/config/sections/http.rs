//! `[http]`: the HTTP source and who may write through it.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::prefix::prefix;
use crate::config::engine::report::ConfigReport;
use crate::config::engine::secrets::{read, secret};
use crate::config::engine::units::{Listen, Secret, Size, Span};
use crate::event::trim_js;
use crate::profile::Prefix;

/// The HTTP source.
#[derive(Debug, Clone)]
pub struct Http {
    pub listen: SocketAddr,
    /// Empty: anyone on loopback may write.
    pub write_keys: Vec<WriteKey>,
    /// How long a request waits for Redis before it is answered 503 and taken back.
    pub wait: Duration,
    /// Decompressed bytes.
    pub max_body: usize,
    pub max_connections: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub idle_timeout: Duration,
}

/// One accepted write key and what its events get.
#[derive(Debug, Clone)]
pub struct WriteKey {
    /// For logs; never the key itself.
    pub name: String,
    pub key: SecretString,
    /// Used instead of `redis.prefix` when present; of one that events choose, the default.
    pub prefix: Option<String>,
    /// The same, with how events choose it.
    pub prefix_rule: Option<Prefix>,
    /// Its events come through a gateway, whose `receivedAt` is when they arrived.
    pub gateway: bool,
    /// Its events may delete users.
    pub may_delete: bool,
}

impl WriteKey {
    /// A key whose events get nothing of their own.
    pub(crate) fn plain(name: String, key: SecretString) -> Self {
        Self { name, key, prefix: None, prefix_rule: None, gateway: false, may_delete: false }
    }
}

/// The HTTP source: POST /v1/identify, /v1/batch and their siblings.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawHttp {
    /// IP address and port.
    listen: Listen,
    /// Write keys that are accepted: the user name of Basic authentication. None: allowed only on a
    /// loopback address, and the headers Origin and Host must name one.
    write_keys: Vec<Secret>,
    /// A file of write keys, one on each line, instead of `write_keys`.
    write_keys_file: Option<PathBuf>,
    /// How long a request waits for Redis. Then the answer is 503 with Retry-After, and events that
    /// were not sent yet are taken back.
    wait: Span,
    /// The largest body, compressed and decompressed; a larger one is answered 413.
    pub(crate) max_body: Size,
    /// Connections at a time. At one more, the client that is silent for longest is disconnected.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_connections: usize,
    /// How long the headers of a request may take, from the connection or the last answer on.
    header_timeout: Span,
    /// How long the body of a request may take. It must not fall 10s behind 4 KiB/s either.
    body_timeout: Span,
    /// How long a connection may be silent between requests.
    idle_timeout: Span,
    sources: Vec<RawSource>,
}

/// The long form of a write key, once for each.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RawSource {
    /// Its name in logs. Default: `source-N`.
    #[schemars(example = &"website")]
    name: Option<String>,
    /// The write key: the user name of Basic authentication.
    write_key: Option<Secret>,
    /// A file that holds the write key.
    write_key_file: Option<PathBuf>,
    /// Prefix of the keys of its events, instead of `redis.prefix`.
    prefix: Option<String>,
    /// Whether its events come through a gateway that says when they arrived: their `receivedAt` is
    /// believed. Never for a key that stands in a website. Default: false.
    gateway: Option<bool>,
    /// Whether its events may delete users: with `deletion.event`. Never for a key that stands in a
    /// website. Default: false.
    may_delete: Option<bool>,
}

impl Default for RawHttp {
    fn default() -> Self {
        Self {
            listen: Listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            write_keys: Vec::new(),
            write_keys_file: None,
            wait: Span::secs(5),
            max_body: Size::mib(8),
            max_connections: 1024,
            header_timeout: Span::secs(10),
            body_timeout: Span::secs(30),
            idle_timeout: Span::secs(75),
            sources: Vec::new(),
        }
    }
}

impl RawHttp {
    pub(crate) fn resolve(&self, report: &mut ConfigReport) -> Http {
        for (key, span) in [
            ("http.wait", self.wait),
            ("http.header_timeout", self.header_timeout),
            ("http.body_timeout", self.body_timeout),
            ("http.idle_timeout", self.idle_timeout),
        ] {
            report.not_zero(key, span);
        }
        let write_keys = self.write_keys(report);
        let keys_given = !self.write_keys.is_empty()
            || self.write_keys_file.is_some()
            || !self.sources.is_empty();
        if !keys_given && !self.listen.0.ip().to_canonical().is_loopback() {
            let listen = self.listen.0;
            report.error(
                "http.listen",
                format_args!(
                    "without a write key anyone who reaches {listen} could write: set \
                     http.write_keys or [[http.sources]], or listen on 127.0.0.1"
                ),
            );
        }
        Http {
            listen: self.listen.0,
            write_keys,
            wait: self.wait.0,
            max_body: self.max_body.bytes(),
            max_connections: self.max_connections,
            header_timeout: self.header_timeout.0,
            body_timeout: self.body_timeout.0,
            idle_timeout: self.idle_timeout.0,
        }
    }

    /// Errors for sources that may delete users where no event does: `event` is `deletion.event`.
    pub(crate) fn check_may_delete(&self, event: Option<&str>, report: &mut ConfigReport) {
        let sources =
            self.sources.iter().enumerate().filter(|(_, source)| source.may_delete == Some(true));
        for (n, _) in sources.filter(|_| event.is_none()) {
            report.error(
                &format!("http.sources[{n}].may_delete"),
                "has no effect without deletion.event",
            );
        }
    }

    /// The short form first, then the long one.
    fn write_keys(&self, report: &mut ConfigReport) -> Vec<WriteKey> {
        let mut keys =
            WriteKeys { report, seen: HashSet::new(), names: HashSet::new(), keys: Vec::new() };
        for (n, key) in self.write_keys.iter().enumerate() {
            keys.add(
                &format!("http.write_keys[{n}]"),
                WriteKey::plain(format!("key-{}", n + 1), key.0.clone()),
            );
        }
        if let Some(path) = &self.write_keys_file {
            if !self.write_keys.is_empty() {
                keys.report.error("http.write_keys_file", "given beside http.write_keys: give one");
            }
            let text = read(keys.report, "http.write_keys_file", path).unwrap_or_default();
            for (n, line) in text.expose_secret().lines().enumerate() {
                let name = format!("key-{}", n + 1);
                keys.add("http.write_keys_file", WriteKey::plain(name, line.into()));
            }
        }
        for (n, source) in self.sources.iter().enumerate() {
            let at = format!("http.sources[{n}]");
            let key = format!("{at}.write_key");
            let name = source.name.clone().unwrap_or_else(|| format!("source-{}", n + 1));
            let prefix_rule = source
                .prefix
                .as_deref()
                .map(|typed| prefix(keys.report, &format!("{at}.prefix"), Some(typed)));
            if source.write_key.is_none() && source.write_key_file.is_none() {
                keys.report.error(&at, "needs a write_key or a write_key_file");
            }
            if let Some(secret) = secret(
                keys.report,
                &key,
                source.write_key.as_ref(),
                source.write_key_file.as_deref(),
            ) {
                let write_key = WriteKey {
                    prefix: prefix_rule.as_ref().map(|prefix| prefix.default_text().to_owned()),
                    prefix_rule,
                    gateway: source.gateway.unwrap_or_default(),
                    may_delete: source.may_delete.unwrap_or_default(),
                    ..WriteKey::plain(name, secret)
                };
                keys.add(&key, write_key);
            }
        }
        keys.keys
    }
}

/// Write keys so far; one that could never match, or that is there already, is an error.
struct WriteKeys<'a> {
    report: &'a mut ConfigReport,
    seen: HashSet<String>,
    names: HashSet<String>,
    keys: Vec<WriteKey>,
}

impl WriteKeys<'_> {
    fn add(&mut self, at: &str, write_key: WriteKey) {
        let (name, text) = (&write_key.name, write_key.key.expose_secret());
        let wrong = if trim_js(text).is_empty() {
            Some("a write key is blank".to_owned())
        } else if text.contains(':') {
            Some(
                "a write key holds a \":\", which ends the user name in Basic authentication: it \
                could never match"
                    .to_owned(),
            )
        } else if !self.seen.insert(text.to_owned()) {
            Some("this write key is there twice".to_owned())
        } else if !self.names.insert(name.clone()) {
            Some(format!("two sources are named {name:?}"))
        } else {
            None
        };
        match wrong {
            Some(error) => self.report.error(at, error),
            None => self.keys.push(write_key),
        }
    }
}
