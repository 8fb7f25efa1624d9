//! `[admin]`: the listener for `/metrics`, `/live` and `/ready`.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::Listen;

/// The admin listener: /metrics, /live, /ready.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawAdmin {
    /// IP address and port.
    pub(super) listen: Listen,
}

impl Default for RawAdmin {
    fn default() -> Self {
        Self { listen: Listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))) }
    }
}
