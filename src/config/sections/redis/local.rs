//! `[redis.local]`: the keys for `mode = "local"`, as typed and as valid.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Redis server to start, and to end with this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// A path, or a name to be found in PATH; `None`: redis-server, else valkey-server.
    pub binary: Option<PathBuf>,
    /// Port of 127.0.0.1, beside the socket; 0: none.
    pub port: u16,
    /// Where the server keeps its data.
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

/// With `mode = "local"`: a Redis server that is started, and ends, with this process.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLocal {
    /// The server's program: a path, or a name in PATH. Default: redis-server, else valkey-server.
    pub(super) binary: Option<PathBuf>,
    /// A port of 127.0.0.1, with a password; the log names the file that holds it. 0: no port, only
    /// the socket redis.sock in `data_dir`.
    #[schemars(range(min = 0, max = 65535))]
    pub(super) port: u16,
    /// Where the server keeps its data. Default: `redis`, in the `data_dir` of this program.
    pub(super) data_dir: Option<PathBuf>,
}

impl RawLocal {
    /// `valid` in the form that is typed.
    pub(super) fn effective(valid: &Local) -> Self {
        let Local { binary, port, data_dir } = valid.clone();
        Self { binary, port, data_dir: Some(data_dir) }
    }
}
