//! `redis.handshake`: which commands are sent on a connection besides writes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mode::ModeName;
use crate::config::engine::report::ConfigReport;

/// Commands that are sent to a server besides writes: proxies and managed services may not take all
/// of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Handshake {
    /// All of them; what a server refuses or hangs up on is left out from then on.
    #[default]
    Auto,
    /// All of them; a hang-up is an error.
    Full,
    /// HELLO or AUTH, SELECT and writes only; no fencing, restarts are not seen, no probes but a
    /// connection.
    Minimal,
}

impl Handshake {
    /// Errors where `minimal` leaves out what other keys need.
    pub(super) fn check(self, mode: ModeName, wait_replicas: bool, report: &mut ConfigReport) {
        if self != Self::Minimal {
            return;
        }
        let needed = match mode {
            ModeName::Cluster => Some("CLUSTER SLOTS"),
            ModeName::Sentinel | ModeName::PrimaryReplicas => Some("ROLE"),
            ModeName::Standalone | ModeName::Sharded | ModeName::Embedded | ModeName::Local => None,
        };
        if let Some(command) = needed {
            let mode = serde_json::json!(mode);
            report.error(
                "redis.handshake",
                format_args!(
                    "\"minimal\" does not send {command}, which redis.mode = {mode} \
                    needs: use \"auto\""
                ),
            );
        }
        if wait_replicas {
            report.error(
                "redis.handshake",
                "\"minimal\" does not send WAIT, which redis.durability.wait_replicas needs: \
                 use \"auto\"",
            );
        }
    }
}
