//! `mode = "embedded"`.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Mode, RawRedis, Target};
use crate::config::engine::report::Report;
use crate::config::engine::units::Listen;
use crate::config::sections::tls;

/// The store inside this process, with `mode = "embedded"`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawEmbedded {
    /// Loopback address and port.
    pub(super) listen: Listen,
}

impl Default for RawEmbedded {
    fn default() -> Self {
        Self { listen: Listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 6399))) }
    }
}

impl RawRedis {
    pub(super) fn embedded(&self, report: &mut Report) -> Target {
        self.tls.unused(tls::REDIS, &self.mode.why(), report);
        let listen = self.embedded.clone().unwrap_or_default().listen.0;
        if !listen.ip().to_canonical().is_loopback() {
            report.error(
                "redis.embedded.listen",
                format_args!("{listen} is not a loopback address: it has no access control"),
            );
        }
        let (database, protocol) =
            (self.database.unwrap_or_default(), self.protocol("redis.nodes", &[], report));
        Target { database, protocol, ..Target::of(Mode::Embedded(listen)) }
    }
}
