//! `mode = "local"`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Mode, RawRedis, Target};
use crate::config::engine::report::Report;
use crate::config::sections::tls;

/// A Redis server to start, and to end with this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// A path, or a name to be found in PATH; `None`: redis-server, else valkey-server.
    pub binary: Option<PathBuf>,
    /// On 127.0.0.1, beside the socket; 0: none.
    pub port: u16,
    /// Where it keeps its data.
    pub data_dir: PathBuf,
}

impl Local {
    /// Bytes that a socket's path may have.
    pub const MAX_SOCKET: usize = 107;

    /// Where a server with its data in `directory` listens.
    pub fn socket_in(directory: &Path) -> PathBuf {
        directory.join("redis.sock")
    }
}

/// With `mode = "local"`: a server that is started, and ends, with this process.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLocal {
    /// A path, or a name to be found in PATH. Default: redis-server, else valkey-server.
    binary: Option<PathBuf>,
    /// A port of 127.0.0.1, with a password that the log names the file of. 0: none, only the
    /// socket redis.sock in data_dir.
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
        let socket =
            Local::socket_in(&std::path::absolute(&data_dir).unwrap_or_else(|_| data_dir.clone()));
        let length = socket.as_os_str().len();
        if length > Local::MAX_SOCKET {
            let most = Local::MAX_SOCKET;
            let why = format_args!(
                "the path of the socket in it, {}, has {length} bytes, and a socket's path has at \
                 most {most}: choose a shorter \
                 directory here, or with data_dir",
                socket.display()
            );
            report.error("redis.local.data_dir", why);
        }
        let mode = Mode::Local(Local { binary, port, data_dir });
        let (database, protocol) =
            (self.database.unwrap_or_default(), self.protocol("redis.nodes", &[], report));
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
