//! `[admin]`: the listener for `/metrics`, `/live` and `/ready`.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::engine::units::Listen;

/// The admin listener: /metrics, /live, /ready.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAdmin {
    /// IP address and port.
    pub(crate) listen: Listen,
}

impl Default for RawAdmin {
    fn default() -> Self {
        Self { listen: Listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))) }
    }
}
