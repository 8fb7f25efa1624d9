//! Why there is no local server.

use std::io;
use std::path::PathBuf;

use crate::config;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error(
        "redis.local.binary: there is no {0}: install Redis (apt-get install redis-server, brew \
         install redis) or Valkey, or name the program"
    )]
    Missing(String),
    #[error("redis.local.binary: {0} cannot be started: {1}")]
    Unusable(String, io::Error),
    #[error("redis.local.data_dir: {path}: {1}", path = .0.display())]
    Directory(PathBuf, io::Error),
    #[error("redis.local.data_dir: another worker keeps its data in {path}", path = .0.display())]
    Taken(PathBuf),
    #[error(
        "redis.local.data_dir: the path of the socket in it, {path}, has {len} bytes, and a \
         socket's path has at most {most}: choose a shorter directory",
        path = .0.display(), len = .0.as_os_str().len(), most = config::Local::MAX_SOCKET
    )]
    TooLong(PathBuf),
    #[error("redis.local: {0}")]
    Failed(String),
}
