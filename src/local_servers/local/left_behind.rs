//! The server of a worker that was killed: two servers must never write to the same files.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Instant;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;

use super::{LocalError, PAUSE, STOP_TIMEOUT, to_keeper_of};
use crate::config::Address;
use crate::redis::{Class, Connector};

/// Ends the server at `address` if its data is in `directory`, and waits until it is gone.
/// `connectors` are the ways to log in.
pub(super) async fn end(
    address: &Address,
    connectors: &[Connector],
    directory: &Path,
) -> Result<(), LocalError> {
    let start = Instant::now();
    let mut told = false;
    loop {
        if is_gone(address).await {
            return Ok(());
        }
        for connector in connectors {
            match to_keeper_of(directory, connector).await {
                Ok(Some(mut connection)) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%address, "ending the local Redis that an earlier worker \
                            left behind");
                    }
                    // The server closes the connection instead of answering.
                    let _gone = connection.query(&redis::cmd("SHUTDOWN")).await;
                    break;
                }
                // Another server is there now: ours is gone.
                Ok(None) => return Ok(()),
                // Another kind of server.
                Err(error) if error.class == Class::Config && error.code == "NONE" => return Ok(()),
                Err(_) => {}
            }
        }
        if start.elapsed() > STOP_TIMEOUT {
            let (option, what) = match address {
                Address::Unix(path) => (format!("-s {}", path.display()), path.clone()),
                Address::Tcp { port, .. } => {
                    (format!("-p {port}"), directory.join(super::LOCK_FILE))
                }
            };
            return Err(LocalError::Failed(format!(
                "an earlier worker left a server behind at {address}, and what is there does not \
                 end: end it \
                 (`redis-cli {option} SHUTDOWN`, or kill it), or remove {} if it is another one; \
                 then start again",
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
