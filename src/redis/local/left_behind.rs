//! The server of a worker that was killed: two servers must never write to the same files.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{LocalError, PAUSE, PORT_FILE, STOP_TIMEOUT, to_keeper_of};
use crate::redis::{Class, Connector};

/// Ends the server at `port` if its data is in `directory`, and waits until it is gone.
pub(super) async fn end(connector: &Connector, port: u16, directory: &Path) -> Result<(), LocalError> {
    let start = Instant::now();
    let mut told = false;
    loop {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        {
            return Ok(());
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
            // Another kind of server.
            Err(error) if error.class == Class::Config && error.code == "NONE" => return Ok(()),
            Err(_) => {}
        }
        if start.elapsed() > STOP_TIMEOUT {
            return Err(LocalError::Failed(format!(
                "an earlier worker left a server behind at 127.0.0.1:{port}, and what is there does not end: end it \
                 (`redis-cli -p {port} SHUTDOWN`, or kill it), or remove {} if it is another one; then start again",
                directory.join(PORT_FILE).display()
            )));
        }
        sleep(PAUSE).await;
    }
}
