//! `mode = "local"`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Mode, RawRedis, Target};
use crate::config::report::Report;
use crate::config::tls;

/// A Redis server to start, and to end with this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// A path, or a name to be found in PATH; `None`: redis-server, else valkey-server.
    pub binary: Option<PathBuf>,
    /// On 127.0.0.1; 0: a free one.
    pub port: u16,
    /// Where it keeps its data.
    pub data_dir: PathBuf,
}

/// With `mode = "local"`: a server that is started, and ends, with this process.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLocal {
    /// A path, or a name to be found in PATH. Default: redis-server, else valkey-server.
    binary: Option<PathBuf>,
    /// On 127.0.0.1; 0: a free one.
    #[schemars(range(min = 0, max = 65535))]
    port: u16,
    /// Where it keeps its data. Default: redis, in data_dir.
    data_dir: Option<PathBuf>,
}

impl RawRedis {
    pub(super) fn local(&self, state: &Path, report: &mut Report) -> Target {
        self.tls.unused(tls::REDIS, &self.mode.why(), report);
        let RawLocal { binary, port, data_dir } = self.local.clone().unwrap_or_default();
        let data_dir = data_dir.unwrap_or_else(|| state.join("redis"));
        let mode = Mode::Local(Local { binary, port, data_dir });
        let (database, protocol) = (self.database.unwrap_or_default(), self.protocol("redis.nodes", &[], report));
        Target { database, protocol, ..Target::of(mode) }
    }
}

impl RawLocal {
    /// What `valid` came to, in the form that is typed.
    pub(super) fn effective(valid: &Local) -> Self {
        let Local { binary, port, data_dir } = valid.clone();
        Self { binary, port, data_dir: Some(data_dir) }
    }
}
