//! The keys of `[redis]` that say the same in several modes: one server's address, the login, the
//! database, the protocol.

use std::fmt::Debug;

use super::address::Address;
use super::node::PORT;
use super::nodes::Endpoint;
use super::password::{Password, PasswordKeys};
use super::protocol::Protocol;
use super::raw::RawRedis;
use super::url::{RedisUrl, UrlAddress, UrlText};
use crate::config::engine::host::host_name;
use crate::config::engine::report::ConfigReport;
use crate::config::sections::tls::UrlTls;

pub(super) fn url(redis: &RawRedis) -> Option<&RedisUrl> {
    redis.url.as_ref().map(UrlText::url)
}

pub(super) fn url_tls(redis: &RawRedis) -> Option<UrlTls> {
    url(redis).map(|url| UrlTls {
        key: "redis.url".into(),
        secure: url.tls,
        insecure: url.insecure,
    })
}

/// User name and password of the URL or of the keys.
pub(super) fn login(
    redis: &RawRedis,
    report: &mut ConfigReport,
) -> (Option<String>, Option<Password>) {
    let url = url(redis);
    let keys = PasswordKeys {
        in_url: url.and_then(|url| url.password.as_ref()),
        text: redis.password.as_ref(),
        file: redis.password_file.as_deref(),
        command: redis.password_command.as_deref(),
    };
    let password = keys.resolve(report);
    let username = one(
        report,
        "user name",
        url.and_then(|url| url.username.clone()),
        "username",
        redis.username.clone(),
    );
    // A file that cannot be read was said already.
    if username.is_some() && password.is_none() && redis.password_file.is_none() {
        let key = if redis.username.is_some() { "redis.username" } else { "redis.url" };
        report.error(
            key,
            "a user name has no effect without a password; a password alone is written \
             redis://:PASSWORD@host",
        );
    }
    (username, password)
}

pub(super) fn database(redis: &RawRedis, report: &mut ConfigReport) -> Option<u32> {
    let in_url = url(redis).and_then(|url| url.database);
    one(report, "database", in_url, "database", redis.database)
}

/// The protocol of the URL or of the key, which the `nodes` of the list `key` must not contradict.
pub(super) fn protocol(
    redis: &RawRedis,
    key: &str,
    nodes: &[Endpoint],
    report: &mut ConfigReport,
) -> Protocol {
    let in_url = url(redis).and_then(|url| url.protocol);
    let typed =
        redis.protocol.map(|number| if number == 3 { Protocol::Resp3 } else { Protocol::Resp2 });
    let protocol = one(report, "protocol", in_url, "protocol", typed).unwrap_or_default();
    for (n, _) in nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.protocol.is_some_and(|own| own != protocol))
    {
        report.error(
            &format!("{key}[{n}]"),
            "all nodes are spoken to alike: set redis.protocol instead of ?protocol",
        );
    }
    protocol
}

pub(super) fn address(redis: &RawRedis, report: &mut ConfigReport) -> Address {
    let typed = redis.host.as_deref().and_then(|host| match host_name(host) {
        Ok(host) => Some(host),
        Err(error) => {
            report.error("redis.host", format_args!("{error}; the port has a key of its own"));
            None
        }
    });
    let (host, port) = match url(redis).map(|url| &url.address) {
        Some(UrlAddress::Unix(path)) => {
            for key in ["redis.host", "redis.port", "redis.keepalive", "redis.user_timeout"] {
                report.no_effect(key, "beside the unix socket of redis.url");
            }
            return Address::Unix(path.clone());
        }
        Some(UrlAddress::Tcp { host, port }) => (Some(host.clone()), *port),
        None => (None, None),
    };
    let host = one(report, "host", host, "host", typed).unwrap_or_else(|| "127.0.0.1".into());
    let port = one(report, "port", port, "port", redis.port).unwrap_or(PORT);
    Address::Tcp { host, port }
}

/// The value of the URL or of the key `redis.{key}`; an error that quotes both if they differ.
fn one<T: PartialEq + Debug>(
    report: &mut ConfigReport,
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
