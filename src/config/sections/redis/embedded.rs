//! `[redis.embedded]`: the keys for `mode = "embedded"`, as typed and as valid.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::engine::units::Listen;

/// With `mode = "embedded"`: the store inside this process. It keeps nothing.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawEmbedded {
    /// IP address and port; loopback only, since the store has no access control.
    pub(super) listen: Listen,
}

impl Default for RawEmbedded {
    fn default() -> Self {
        Self { listen: Listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 6399))) }
    }
}
