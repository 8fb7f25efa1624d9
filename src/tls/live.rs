//! TLS settings whose files may be replaced while the program runs.

use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::{TlsClient, TlsError};
use crate::config::{Pem, Tls};

/// A [`TlsClient`] that follows its files.
pub struct LiveTls {
    settings: Tls,
    state: Mutex<State>,
}

struct State {
    client: Arc<TlsClient>,
    /// What the files held when they were last looked at.
    seen: Vec<Option<Fingerprint>>,
}

type Fingerprint = [u8; 32];

impl LiveTls {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn new(tls: &Tls) -> Result<Self, TlsError> {
        // Before they are read: what changes in between is noticed the next time.
        let seen = fingerprints(tls);
        let client = Arc::new(TlsClient::new(tls)?);
        Ok(Self { settings: tls.clone(), state: Mutex::new(State { client, seen }) })
    }

    /// False with `skip_verify`: anybody can pose as the server.
    pub fn is_verified(&self) -> bool {
        !self.settings.skip_verify
    }

    /// For the next connection. Reads the files, and says when they changed; if what they hold now
    /// cannot be used, the former client stays.
    pub fn current(&self) -> Arc<TlsClient> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Of each file's content; `None` when it cannot be read. Times of modification would miss what was
/// copied with its own.
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
