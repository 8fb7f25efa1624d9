//! From what was typed in `[redis]` to what is valid.

mod cluster;
mod embedded;
mod local;
mod primary_replicas;
mod sentinel;
mod sharded;
mod standalone;

use std::path::Path;

use super::handshake::Handshake;
use super::mode::ModeName;
use super::raw::RawRedis;
use super::tcp::Tcp;
use super::valid::Redis;
use crate::config::engine::report::ConfigReport;
use crate::config::sections::prefix::prefix;
use crate::profile::{KeyTemplate, KeyedBy};

/// Checks the section. `state` is where everything is kept that has no place of its own.
pub(crate) fn resolve(redis: &RawRedis, state: &Path, report: &mut ConfigReport) -> Redis {
    report.not_zero("redis.connect_timeout", redis.connect_timeout);
    report.not_zero("redis.response_timeout", redis.response_timeout);
    if redis.client_name.contains(|c: char| !c.is_ascii_graphic()) {
        report.error(
            "redis.client_name",
            "Redis takes no blanks, line ends or letters beyond ASCII in a client's name",
        );
    }
    redis.mode.others_have_no_effect(report);
    let target = match redis.mode {
        ModeName::Standalone => standalone::resolve(redis, report),
        ModeName::Cluster => cluster::resolve(redis, report),
        ModeName::Sentinel => sentinel::resolve(redis, report),
        ModeName::Sharded => sharded::resolve(redis, report),
        ModeName::PrimaryReplicas => primary_replicas::resolve(redis, report),
        ModeName::Embedded => embedded::resolve(redis, report),
        ModeName::Local => local::resolve(redis, state, report),
    };
    let durability = redis.durability.unwrap_or_default().resolve(redis.response_timeout, report);
    redis.handshake.check(redis.mode, durability.is_some(), report);
    if redis.handshake == Handshake::Minimal && !redis.client_name.is_empty() {
        report.no_effect("redis.client_name", "with redis.handshake = \"minimal\"");
    }
    let prefix_rule = prefix(report, "redis.prefix", redis.prefix.as_deref());
    let mut template = |key, text: &str, by| {
        KeyTemplate::parse(text, by).map_err(|error| report.error(key, error)).ok()
    };
    let key = template("redis.key", &redis.key, KeyedBy::User).unwrap_or_default();
    let group_key = redis.group_key.as_deref();
    let group_key = group_key.and_then(|text| template("redis.group_key", text, KeyedBy::Group));
    Redis {
        mode: target.mode,
        username: target.username,
        password: target.password,
        logins: target.logins,
        database: target.database,
        read_from_replicas: redis.read_from_replicas.unwrap_or_default(),
        prefix: prefix_rule.default_text().to_owned(),
        prefix_rule,
        key,
        group_key,
        client_name: redis.client_name.clone(),
        handshake: redis.handshake,
        protocol: target.protocol,
        connect_timeout: redis.connect_timeout.0,
        response_timeout: redis.response_timeout.0,
        tcp: Tcp::resolve(redis.keepalive, redis.user_timeout, report),
        tls: target.tls,
        durability,
    }
}
