//! `[redis.durability]`: replicas that a write waits for before it is acknowledged.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::{Span, print_duration};

/// Replicas that must have a write before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durability {
    /// At least one.
    pub replicas: u32,
    /// Writes that the replicas do not have by then are sent again.
    pub timeout: Duration,
}

/// Replicas that a write waits for before it is acknowledged.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawDurability {
    /// Replicas that must confirm each batch (WAIT) before it is acknowledged. With all of them a
    /// failover loses nothing; with 0, what is not replicated when the master dies is lost.
    #[schemars(range(max = 1000))]
    wait_replicas: u32,
    /// How long the replicas may take, less than `redis.response_timeout`; then the batch is
    /// written again.
    wait_timeout: Span,
}

impl Default for RawDurability {
    fn default() -> Self {
        Self { wait_replicas: 0, wait_timeout: Span::secs(1) }
    }
}

impl RawDurability {
    /// `None`: the server's own OK is enough.
    pub(super) fn resolve(
        self,
        response_timeout: Span,
        report: &mut ConfigReport,
    ) -> Option<Durability> {
        if self.wait_replicas == 0 {
            report.no_effect(
                "redis.durability.wait_timeout",
                "without redis.durability.wait_replicas",
            );
            return None;
        }
        // 0 would be for ever.
        if self.wait_timeout.0 < Duration::from_millis(1) {
            report.error("redis.durability.wait_timeout", "must be at least 1ms");
        }
        if self.wait_timeout >= response_timeout {
            let place = report.place("redis.response_timeout");
            let longest = print_duration(&response_timeout.0);
            report.error(
                "redis.durability.wait_timeout",
                format_args!("must be less than {place}, which is {longest}"),
            );
        }
        Some(Durability { replicas: self.wait_replicas, timeout: self.wait_timeout.0 })
    }
}
