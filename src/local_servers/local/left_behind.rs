//! Ends the server that a killed worker left behind: two servers must never write to the same
//! files.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;

use super::LocalError;
use super::directory::LOCK_FILE;
use super::reach::{PAUSE, connect_to_server_of};
use crate::config::Address;
use crate::redis::{Class, Connector};

/// Ends the server at `address` if its data is in `directory`, and waits at most `limit` until it
/// is gone. Each of `connectors` has another login.
pub(super) async fn end(
    address: &Address,
    connectors: &[Connector],
    directory: &Path,
    limit: Duration,
) -> Result<(), LocalError> {
    let start = Instant::now();
    let mut logged = false;
    loop {
        if is_gone(address).await {
            return Ok(());
        }
        for connector in connectors {
            match connect_to_server_of(directory, connector).await {
                Ok(Some(mut connection)) => {
                    if !std::mem::replace(&mut logged, true) {
                        tracing::warn!(%address, "ending the local Redis that an earlier worker \
                            left behind");
                    }
                    // The server closes the connection instead of answering.
                    let _gone = connection.query(&redis::cmd("SHUTDOWN")).await;
                    break;
                }
                // Another server has the address now: the one of `directory` is gone.
                Ok(None) => return Ok(()),
                // The address has another kind of server.
                Err(error) if error.class == Class::Config && error.code == "NONE" => return Ok(()),
                Err(_) => {}
            }
        }
        if start.elapsed() > limit {
            let (option, what) = match address {
                Address::Unix(path) => (format!("-s {}", path.display()), path.clone()),
                Address::Tcp { port, .. } => (format!("-p {port}"), directory.join(LOCK_FILE)),
            };
            return Err(LocalError::Failed(format!(
                "an earlier worker left a server behind at {address}, and what is there does not \
                 end: end it (`redis-cli {option} SHUTDOWN`, or kill it), or remove {} if it is \
                 another one; then start again",
                what.display()
            )));
        }
        sleep(PAUSE).await;
    }
}

async fn is_gone(address: &Address) -> bool {
    let gone = |error: io::Error| {
        matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound)
    };
    match address {
        Address::Unix(path) => UnixStream::connect(path).await.is_err_and(gone),
        Address::Tcp { host, port } => {
            TcpStream::connect((host.as_str(), *port)).await.is_err_and(gone)
        }
    }
}
