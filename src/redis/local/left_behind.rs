//! The server of a worker that was killed: two servers must never write to the same files.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{LocalError, PAUSE, STOP_TIMEOUT, to_keeper_of};
use crate::redis::{Class, Connector};

/// Ends the server at `port` if its data is in `directory`, and waits until it is gone.
pub(super) async fn end(connector: &Connector, port: u16, directory: &Path) -> Result<(), LocalError> {
    let start = Instant::now();
    let mut told = false;
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok(()),
            _ => {}
        }
        match to_keeper_of(directory, connector).await {
            Ok(Some(mut connection)) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(port, "ending the local Redis that an earlier worker left behind");
                }
                // It closes the connection instead of answering.
                let _gone = connection.query(&redis::cmd("SHUTDOWN")).await;
            }
            // Another server has the port now: ours is gone.
            Ok(None) => return Ok(()),
            Err(error) if error.code != "LOADING" && error.class != Class::Reconnect => return Ok(()),
            Err(_) => {}
        }
        if start.elapsed() > STOP_TIMEOUT {
            return Err(LocalError::Failed(format!(
                "the server that an earlier worker left behind at 127.0.0.1:{port} does not end: end it \
                 (`redis-cli -p {port} SHUTDOWN`, or kill it), then start again"
            )));
        }
        sleep(PAUSE).await;
    }
}
