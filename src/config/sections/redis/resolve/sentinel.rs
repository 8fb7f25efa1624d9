//! Checks `[redis]` with `mode = "sentinel"`, and makes its valid form.

use crate::config::engine::report::ConfigReport;
use crate::config::sections::redis::raw::RawRedis;
use crate::config::sections::redis::server::{login, protocol};
use crate::config::sections::redis::target::RedisTarget;
use crate::config::sections::redis::valid::Mode;
use crate::config::sections::tls;

pub(super) fn resolve(redis: &RawRedis, report: &mut ConfigReport) -> RedisTarget {
    let (username, password) = login(redis, report);
    let sentinel = redis.sentinel.clone().unwrap_or_default().resolve(report);
    let database = redis.database.unwrap_or_default();
    let tls = redis.tls.resolve(&tls::REDIS, &[], report);
    let trusts_all = tls
        .as_ref()
        .is_some_and(|tls| tls.ca.is_none() && tls.server_name.is_none() && !tls.skip_verify);
    if trusts_all && sentinel.tls.is_none() {
        report.warn(
            "redis.sentinel: whoever is between here and the sentinels, which are reached in plain \
             text, can name another master, and any host with a public certificate would be \
             believed and sent the password: set redis.tls.ca_file or redis.tls.server_name, or \
             redis.sentinel.tls.enabled = true",
        );
    }
    let protocol = protocol(redis, "redis.nodes", &[], report);
    RedisTarget {
        username,
        password,
        database,
        protocol,
        tls,
        ..RedisTarget::of(Mode::Sentinel(Box::new(sentinel)))
    }
}
