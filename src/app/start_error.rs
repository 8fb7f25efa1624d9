//! Why the program could not start.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::exit::Exit;
use crate::local_servers::LocalError;

/// Why the program could not start, and its exit code.
#[derive(Debug)]
pub struct StartError {
    /// One line or more, for the operator.
    pub message: String,
    /// The exit code of the process.
    pub code: Exit,
}

impl From<io::Error> for StartError {
    /// An error of the operating system: signals, threads.
    fn from(error: io::Error) -> Self {
        Self { message: error.to_string(), code: Exit::INTERNAL }
    }
}

impl From<LocalError> for StartError {
    fn from(error: LocalError) -> Self {
        let code = match error {
            LocalError::Missing(_) | LocalError::Unusable(..) | LocalError::TooLong(_) => {
                Exit::CONFIG
            }
            LocalError::Directory(..) => Exit::IO,
            LocalError::Taken(_) | LocalError::Failed(_) => Exit::UNAVAILABLE,
        };
        Self { message: error.to_string(), code }
    }
}

impl StartError {
    /// Something in the configuration is wrong.
    pub(super) fn config(message: impl ToString) -> Self {
        Self { message: message.to_string(), code: Exit::CONFIG }
    }

    /// The address cannot be bound; `key` is the option that names it.
    pub(super) fn bind(key: &str, address: SocketAddr, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("the port is in use; choose another with -s {key}={}:PORT", address.ip())
            }
            io::ErrorKind::AddrNotAvailable => {
                format!("this machine has no such address; set {key}")
            }
            io::ErrorKind::PermissionDenied => {
                format!("not permitted; choose a port above 1023 with {key}")
            }
            _ => format!("{error}; set {key}"),
        };
        Self {
            message: format!("cannot listen on {address} ({key}): {hint}"),
            code: Exit::UNAVAILABLE,
        }
    }
}

/// Binds a listener.
///
/// # Errors
/// The address cannot be bound; the message names the option `key`.
pub async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| StartError::bind(key, address, &error))
}
