//! Where one server listens.

use std::fmt;
use std::path::PathBuf;

use crate::config::engine::host::host_port;

/// Where one server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `host` is a name or an IP address, an IPv6 one without brackets.
    Tcp {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => f.write_str(&host_port(host, Some(*port))),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}
