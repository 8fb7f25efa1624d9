//! One server, and all that is needed to connect to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use secrecy::SecretString;

use super::live_passwords::LivePasswords;
use super::unsupported::{UnsupportedByServer, UnsupportedCommands};
use crate::config::{Address, Durability, Handshake, Login, Node, Protocol, Tcp};
use crate::redis::command::Forms;
use crate::redis::errors::{NamedServer, ServerNames, Trouble, hint};
use crate::redis::loss_epochs::LossEpochs;
use crate::tls::{LiveTls, TlsClient};

/// All that is needed to connect to one server, and what is known of it.
#[derive(Clone)]
pub(super) struct ServerAccess {
    pub(super) address: Address,
    /// `host:port`, or the path of the socket.
    pub(super) node: String,
    pub(super) names: ServerNames,
    pub(super) tls: Option<Arc<LiveTls>>,
    pub(super) username: Option<String>,
    pub(super) passwords: Arc<LivePasswords>,
    /// The node whose own password is used, if it has one.
    pub(super) login_of: Option<Node>,
    pub(super) database: u32,
    pub(super) client_name: String,
    pub(super) protocol: Protocol,
    /// A key with a blank user id, to which no event is written.
    pub(super) blank_key: String,
    /// Where in `blank_key` an id would begin.
    pub(super) id_at: usize,
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) tcp: Tcp,
    /// A restricted ACL was logged: once, not at every reconnect.
    pub(super) warned: Arc<AtomicBool>,
    pub(super) in_cluster: bool,
    /// A replica is an error when connecting.
    pub(super) primary_only: bool,
    /// The server is a replica, which takes no writes.
    pub(super) replica: bool,
    pub(super) durability: Option<Durability>,
    /// Logins of single nodes.
    pub(super) logins: Arc<BTreeMap<Node, Login>>,
    pub(super) loss_epochs: LossEpochs,
    /// Writes that the server has taken.
    pub(super) taken: Arc<AtomicU64>,
    /// What is written.
    pub(super) forms: Arc<Forms>,
    pub(super) handshake: Handshake,
    /// The commands that this server does not take.
    pub(super) unsupported: Arc<UnsupportedCommands>,
    /// The commands that each server does not take.
    pub(super) unsupported_by_server: UnsupportedByServer,
}

impl ServerAccess {
    /// The server as messages call it.
    pub(super) fn named(&self) -> NamedServer<'_> {
        NamedServer { node: &self.node, names: self.names }
    }

    /// The TLS settings of now. Files are read away from the threads that everything else runs on.
    pub(super) async fn tls_client(&self) -> Option<Arc<TlsClient>> {
        let tls = Arc::clone(self.tls.as_ref()?);
        Some(
            tokio::task::spawn_blocking(move || tls.current())
                .await
                .expect("reading PEM does not panic"),
        )
    }

    pub(super) async fn password(&self) -> Result<Option<SecretString>, Trouble> {
        let Some(password) = self.passwords.of(self.login_of.as_ref()) else { return Ok(None) };
        password.current().await.map(Some).map_err(|why| hint::password(self.named(), &why))
    }

    /// Whether a restricted ACL is still to be logged: true once.
    pub(super) fn warns(&self) -> bool {
        !self.warned.swap(true, Relaxed)
    }
}
