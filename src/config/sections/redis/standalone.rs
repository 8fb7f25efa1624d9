//! `mode = "standalone"`, and what other modes say in the same keys: one server's address, who to
//! log in as.

use std::fmt::Debug;

use super::nodes::PORT;
use super::password::{Password, Typed};
use super::url::{Place, RedisUrl, UrlText, host_name};
use super::{Address, Mode, RawRedis, Target};
use crate::config::engine::report::Report;
use crate::config::sections::tls::{self, Tls, UrlTls};

impl RawRedis {
    pub(super) fn standalone(&self, report: &mut Report) -> Target {
        let (username, password) = self.login(report);
        let database = self.database(report).unwrap_or_default();
        let address = self.address(report);
        let tls = self.tls_to(&address, report);
        let protocol = self.protocol("redis.nodes", &[], report);
        Target {
            username,
            password,
            database,
            protocol,
            tls,
            ..Target::of(Mode::Standalone(address))
        }
    }

    pub(super) fn url(&self) -> Option<&RedisUrl> {
        self.url.as_ref().map(UrlText::url)
    }

    pub(super) fn url_tls(&self) -> Option<UrlTls> {
        self.url().map(|url| UrlTls {
            key: "redis.url".into(),
            secure: url.tls,
            insecure: url.insecure,
        })
    }

    /// User name and password of the URL or of the keys.
    pub(super) fn login(&self, report: &mut Report) -> (Option<String>, Option<Password>) {
        let url = self.url();
        let typed = Typed {
            in_url: url.and_then(|url| url.password.as_ref()),
            text: self.password.as_ref(),
            file: self.password_file.as_deref(),
            command: self.password_command.as_deref(),
        };
        let password = typed.resolve(report);
        let username = one(
            report,
            "user name",
            url.and_then(|url| url.username.clone()),
            "username",
            self.username.clone(),
        );
        if username.is_some() && password.is_none() {
            let key = if self.username.is_some() { "redis.username" } else { "redis.url" };
            report.error(
                key,
                "a user name has no effect without a password; a password alone is \
                written redis://:PASSWORD@host",
            );
        }
        (username, password)
    }

    pub(super) fn database(&self, report: &mut Report) -> Option<u32> {
        one(report, "database", self.url().and_then(|url| url.database), "database", self.database)
    }

    pub(super) fn address(&self, report: &mut Report) -> Address {
        let typed = self.host.as_deref().and_then(|host| match host_name(host) {
            Ok(host) => Some(host),
            Err(error) => {
                report.error("redis.host", format_args!("{error}; the port has a key of its own"));
                None
            }
        });
        let (host, port) = match self.url().map(|url| &url.place) {
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
        let port = one(report, "port", port, "port", self.port).unwrap_or(PORT);
        Address::Tcp { host, port }
    }

    fn tls_to(&self, address: &Address, report: &mut Report) -> Option<Tls> {
        if let Address::Unix(_) = address {
            self.tls.unused(tls::REDIS, "on a unix socket", report);
            return None;
        }
        self.tls.resolve(tls::REDIS, self.url_tls().as_slice(), report)
    }
}

/// What the URL or the key `redis.{key}` says; an error quoting both if they differ.
pub(super) fn one<T: PartialEq + Debug>(
    report: &mut Report,
    part: &str,
    in_url: Option<T>,
    key: &str,
    typed: Option<T>,
) -> Option<T> {
    if let (Some(a), Some(b)) = (&in_url, &typed)
        && a != b
    {
        let place = report.place(&format!("redis.{key}"));
        report.error(
            "redis.url",
            format_args!("its {part} is {a:?}, but {place} is {b:?}: give one"),
        );
    }
    in_url.or(typed)
}
