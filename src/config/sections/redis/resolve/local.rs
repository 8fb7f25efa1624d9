//! Checks `[redis]` with `mode = "local"`, and makes its valid form.

use std::path::Path;

use crate::config::engine::report::ConfigReport;
use crate::config::sections::redis::local::{Local, RawLocal};
use crate::config::sections::redis::raw::RawRedis;
use crate::config::sections::redis::server::protocol;
use crate::config::sections::redis::target::RedisTarget;
use crate::config::sections::redis::valid::Mode;
use crate::config::sections::tls;

pub(super) fn resolve(redis: &RawRedis, state: &Path, report: &mut ConfigReport) -> RedisTarget {
    redis.tls.unused(&tls::REDIS, &redis.mode.why(), report);
    let RawLocal { binary, port, data_dir } = redis.local.clone().unwrap_or_default();
    let data_dir = data_dir.unwrap_or_else(|| state.join("redis"));
    let socket =
        Local::socket_in(&std::path::absolute(&data_dir).unwrap_or_else(|_| data_dir.clone()));
    let length = socket.as_os_str().len();
    if length > Local::MAX_SOCKET {
        let most = Local::MAX_SOCKET;
        let why = format_args!(
            "the path of the socket in it, {}, has {length} bytes, and a socket's path has at most \
             {most}: choose a shorter directory here, or with data_dir",
            socket.display()
        );
        report.error("redis.local.data_dir", why);
    }
    let database = redis.database.unwrap_or_default();
    let protocol = protocol(redis, "redis.nodes", &[], report);
    let mode = Mode::Local(Local { binary, port, data_dir });
    RedisTarget { database, protocol, ..RedisTarget::of(mode) }
}
