//! `[admin]`: the listener for operators.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::engine::units::{As, Listen};

/// The admin listener: `/metrics`, `/live`, `/ready`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// IP address and port.
    #[serde(with = "As::<Listen>")]
    pub listen: SocketAddr,
    /// What `/api/tap` and `traitsink tap` show of events. There is no access control: whoever
    /// reaches the listener sees it.
    pub tap: TapMode,
}

/// What a tap shows of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TapMode {
    /// Nothing; `/api/tap` answers 404.
    Off,
    /// Outcomes, hashed user ids and the names of fields; `***` in place of every value.
    #[default]
    Redacted,
    /// Keys and values, too: personal data.
    Full,
}

impl Admin {
    /// A warning when whoever reaches this machine sees personal data.
    pub(crate) fn exposure(&self) -> Option<String> {
        let exposed = self.tap == TapMode::Full && !self.listen.ip().to_canonical().is_loopback();
        exposed.then(|| {
            format!(
                "admin.tap = \"full\": whoever reaches {} sees the keys and values of events; \
                 admin.listen is no loopback address, and asks nobody for a password",
                self.listen
            )
        })
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)), tap: TapMode::default() }
    }
}
