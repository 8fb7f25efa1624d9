//! Connects to the server of a data directory, and to no other.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::process::Child;
use tokio::time::sleep;

use crate::config::{self, Address, Password};
use crate::redis::{Connection, ConnectionSettings, Connector, Trouble};

/// Time limit for the first reply of a server that was started. A server that still loads its data
/// replies, too.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between attempts to reach a server that is starting or ending.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// Waits until the server of `directory` replies; another server may have the port.
pub(super) async fn wait_until_ready(
    child: &mut Child,
    connector: &Connector,
    directory: &Path,
) -> Result<(), String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return Err(format!("the server ended at once ({status}):")),
            Err(error) => return Err(error.to_string()),
        }
        match connect_to_server_of(directory, connector).await {
            Ok(Some(_)) => return Ok(()),
            Err(error) if error.code == "LOADING" => return Ok(()),
            _ if start.elapsed() > START_TIMEOUT => {
                return Err(format!("the server does not answer within {START_TIMEOUT:?}:"));
            }
            _ => sleep(PAUSE).await,
        }
    }
}

/// A connector to the local server at `address`, otherwise as `redis` says.
pub(super) fn connector(
    redis: &config::Redis,
    address: &Address,
    password: Option<&SecretString>,
) -> Connector {
    let password = password.cloned().map(Password::Fixed);
    let settings = ConnectionSettings::of(redis).with_password(password);
    Connector::new(&settings, address.clone()).expect("there is no TLS to a local server")
}

/// Connects; `None` when the server there keeps its data elsewhere than in `directory`.
pub(super) async fn connect_to_server_of(
    directory: &Path,
    connector: &Connector,
) -> Result<Option<Connection>, Trouble> {
    let mut connection = connector.connect().await?;
    let reply = connection.query(redis::cmd("CONFIG").arg("GET").arg("dir")).await;
    // A list of name and value in RESP2, a map in RESP3.
    let settings: Option<HashMap<String, String>> =
        reply.ok().and_then(|reply| redis::from_redis_value(reply).ok());
    let keeps = settings
        .and_then(|mut settings| settings.remove("dir"))
        .is_some_and(|dir| directory == Path::new(&dir));
    Ok(keeps.then_some(connection))
}
