//! `[reload]`: when the configuration is read again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reading the configuration again while the worker runs. SIGHUP does it, too.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reload {
    /// Also when a configuration file changes, or a file that a key names. They are looked at every
    /// two seconds.
    pub watch: bool,
}
