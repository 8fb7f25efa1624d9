//! TLS settings whose files may be replaced while the program runs.

use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::{TlsClient, TlsError};
use crate::config::{Pem, Tls};
use crate::lock::lock;

/// A [`TlsClient`] that follows its files.
pub struct LiveTls {
    settings: Tls,
    state: Mutex<LoadedClient>,
}

/// The client in use, and the files it was made from.
struct LoadedClient {
    client: Arc<TlsClient>,
    /// Fingerprints of the files when they were last read.
    seen: Vec<Option<Fingerprint>>,
}

type Fingerprint = [u8; 32];

impl LiveTls {
    /// Reads the files.
    ///
    /// # Errors
    /// The files cannot be used.
    pub fn new(tls: &Tls) -> Result<Self, TlsError> {
        // The fingerprints come first: a change between both reads is then noticed the next time.
        let seen = fingerprints(tls);
        let client = Arc::new(TlsClient::new(tls)?);
        Ok(Self { settings: tls.clone(), state: Mutex::new(LoadedClient { client, seen }) })
    }

    /// False with `skip_verify`: anybody can pose as the server.
    pub fn is_verified(&self) -> bool {
        !self.settings.skip_verify
    }

    /// The client for the next connection. Reads the files, and logs when they changed; if their
    /// new content cannot be used, the former client stays.
    pub fn current(&self) -> Arc<TlsClient> {
        let mut state = lock(&self.state);
        let seen = fingerprints(&self.settings);
        if state.seen != seen {
            state.seen = seen;
            match TlsClient::new(&self.settings) {
                Ok(client) => {
                    state.client = Arc::new(client);
                    tracing::info!("the TLS files changed and are in use for new connections");
                }
                Err(error) => {
                    tracing::warn!(
                        "the TLS files changed and cannot be used, so the former ones stay in use: \
                         {error}"
                    );
                }
            }
        }
        Arc::clone(&state.client)
    }
}

/// SHA-256 of each file's content; `None` when the file cannot be read. Modification times are not
/// enough: a copied file may keep the time of its original.
fn fingerprints(tls: &Tls) -> Vec<Option<Fingerprint>> {
    let client = tls.client.iter().flat_map(|(certificate, key)| [certificate, key]);
    let files = tls.ca.iter().chain(client).filter_map(|pem| match pem {
        Pem::File(path) => Some(path),
        Pem::Inline(..) => None,
    });
    files
        .map(|path| std::fs::read(path).ok().map(|content| Sha256::digest(content).into()))
        .collect()
}
