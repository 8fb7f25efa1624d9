//! Checks `[redis]` with `mode = "standalone"`, and makes its valid form.

use crate::config::engine::report::ConfigReport;
use crate::config::sections::redis::address::Address;
use crate::config::sections::redis::raw::RawRedis;
use crate::config::sections::redis::server::{address, database, login, protocol, url_tls};
use crate::config::sections::redis::target::RedisTarget;
use crate::config::sections::redis::valid::Mode;
use crate::config::sections::tls::{self, Tls};

pub(super) fn resolve(redis: &RawRedis, report: &mut ConfigReport) -> RedisTarget {
    let (username, password) = login(redis, report);
    let database = database(redis, report).unwrap_or_default();
    let address = address(redis, report);
    let tls = tls_to(&address, redis, report);
    let protocol = protocol(redis, "redis.nodes", &[], report);
    RedisTarget {
        username,
        password,
        database,
        protocol,
        tls,
        ..RedisTarget::of(Mode::Standalone(address))
    }
}

fn tls_to(address: &Address, redis: &RawRedis, report: &mut ConfigReport) -> Option<Tls> {
    if let Address::Unix(_) = address {
        redis.tls.unused(&tls::REDIS, "on a unix socket", report);
        return None;
    }
    redis.tls.resolve(&tls::REDIS, url_tls(redis).as_slice(), report)
}
