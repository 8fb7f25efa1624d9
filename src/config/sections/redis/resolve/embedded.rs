//! Checks `[redis]` with `mode = "embedded"`, and makes its valid form.

use crate::config::engine::report::ConfigReport;
use crate::config::sections::redis::raw::RawRedis;
use crate::config::sections::redis::server::protocol;
use crate::config::sections::redis::target::RedisTarget;
use crate::config::sections::redis::valid::Mode;
use crate::config::sections::tls;

pub(super) fn resolve(redis: &RawRedis, report: &mut ConfigReport) -> RedisTarget {
    redis.tls.unused(&tls::REDIS, &redis.mode.why(), report);
    let listen = redis.embedded.clone().unwrap_or_default().listen.0;
    if !listen.ip().to_canonical().is_loopback() {
        report.error(
            "redis.embedded.listen",
            format_args!("{listen} is not a loopback address: it has no access control"),
        );
    }
    let database = redis.database.unwrap_or_default();
    let protocol = protocol(redis, "redis.nodes", &[], report);
    RedisTarget { database, protocol, ..RedisTarget::of(Mode::Embedded(listen)) }
}
