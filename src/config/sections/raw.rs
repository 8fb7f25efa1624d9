//! What was typed: every key is optional, unknown ones are refused; a section's `Default` holds its
//! defaults.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::admin::RawAdmin;
use super::dead_letter::RawDeadLetter;
use super::delivery::RawDelivery;
use super::http::RawHttp;
use super::kafka::RawKafka;
use super::log::RawLog;
use super::redis::RawRedis;
use super::transform::RawTransform;

/// Configuration of traitsink. An empty string is the same as leaving the key out, but for
/// redis.client_name.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "traitsink")]
pub(crate) struct Raw {
    /// Where dead letters live. Default: systemd's state directory, else $XDG_STATE_HOME/traitsink,
    /// else ~/.local/state/traitsink.
    pub(crate) data_dir: Option<PathBuf>,
    /// The HTTP source. Without this section it is off; with no configuration file at all it is on.
    pub(crate) http: Option<RawHttp>,
    pub(crate) kafka: Option<RawKafka>,
    pub(crate) redis: RawRedis,
    pub(crate) transform: RawTransform,
    pub(crate) delivery: RawDelivery,
    pub(crate) dead_letter: RawDeadLetter,
    pub(crate) admin: RawAdmin,
    pub(crate) log: RawLog,
}
