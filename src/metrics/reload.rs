//! The metrics of reloads of the configuration.

use prometheus::{IntCounter, IntGauge};

use super::register::Register;

/// Reloads of the configuration, and how the last one ended.
pub struct ReloadMetrics {
    applied: IntCounter,
    refused: IntCounter,
    last_successful: IntGauge,
}

impl ReloadMetrics {
    pub(super) fn new(register: &Register) -> Self {
        let reloads = register.counters(
            "traitsink_config_reloads_total",
            "Times that the configuration was read again while the worker ran.",
            &["result"],
        );
        let last_successful = register.gauge(
            "traitsink_config_last_reload_successful",
            "0 when the last reload of the configuration was refused, else 1.",
        );
        last_successful.set(1);
        Self {
            applied: reloads.with_label_values(&["applied"]),
            refused: reloads.with_label_values(&["refused"]),
            last_successful,
        }
    }

    /// The configuration was read again and is in use.
    pub fn applied(&self) {
        self.applied.inc();
        self.last_successful.set(1);
    }

    /// The configuration was read again, and the former one stays in use.
    pub fn refused(&self) {
        self.refused.inc();
        self.last_successful.set(0);
    }
}
