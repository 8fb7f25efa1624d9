//! TLS settings whose files may be replaced while the program runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::{TlsClient, TlsError, first_end};
use crate::config::{Pem, Tls};
use crate::lock::lock;

/// A [`TlsClient`] that follows its files.
pub struct LiveTls {
    is_verified: bool,
    state: Mutex<LoadedClient>,
    /// When the first certificate of each server ends, as it was last seen.
    server_ends: Mutex<BTreeMap<String, i64>>,
}

/// The client in use, and what it was made from.
struct LoadedClient {
    client: Arc<TlsClient>,
    settings: Tls,
    /// Fingerprints of the files when they were last read.
    seen: Vec<Option<Fingerprint>>,
    /// The end of the first certificate in the files when they could last be read.
    ends: Option<i64>,
}

type Fingerprint = [u8; 32];

impl LoadedClient {
    fn new(settings: &Tls) -> Result<Self, TlsError> {
        // The fingerprints come first: a change between both reads is then noticed the next time.
        let seen = fingerprints(settings);
        let client = Arc::new(TlsClient::new(settings)?);
        Ok(Self { client, settings: settings.clone(), seen, ends: first_end(settings) })
    }
}

impl LiveTls {
    /// Reads the files.
    ///
    /// # Errors
    /// The files cannot be used.
    pub fn new(tls: &Tls) -> Result<Self, TlsError> {
        let state = Mutex::new(LoadedClient::new(tls)?);
        Ok(Self { is_verified: !tls.skip_verify, state, server_ends: Mutex::default() })
    }

    /// False with `skip_verify`: anybody can pose as the server.
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// The client for the next connection. Reads the files, and logs when they changed; if their
    /// new content cannot be used, the former client stays.
    pub fn current(&self) -> Arc<TlsClient> {
        let mut state = lock(&self.state);
        let seen = fingerprints(&state.settings);
        if state.seen != seen {
            match LoadedClient::new(&state.settings) {
                Ok(loaded) => {
                    *state = loaded;
                    tracing::info!("the TLS files changed and are in use for new connections");
                }
                Err(error) => {
                    state.seen = seen;
                    tracing::warn!(
                        "the TLS files changed and cannot be used, so the former ones stay in use: \
                         {error}"
                    );
                }
            }
        }
        Arc::clone(&state.client)
    }

    /// New connections use the certificates and keys of `tls`, whose other settings must be the
    /// same as before; if they cannot be used, the former client stays.
    pub fn replace(&self, tls: &Tls) {
        match LoadedClient::new(tls) {
            Ok(loaded) => *lock(&self.state) = loaded,
            Err(error) => {
                tracing::warn!("the former certificates stay in use: {error}");
            }
        }
    }

    /// The first certificate of the chain that `server` sent ends then; `None`: not known.
    pub fn note_server_end(&self, server: &str, ends: Option<i64>) {
        let mut servers = lock(&self.server_ends);
        match ends {
            Some(ends) => _ = servers.insert(server.to_owned(), ends),
            None => _ = servers.remove(server),
        }
    }

    /// When the first certificate ends, in seconds since 1970: of those in the files, as they are
    /// now, and of those that the servers sent. The system's authorities do not count.
    pub fn first_end(&self) -> Option<i64> {
        let mut state = lock(&self.state);
        state.ends = first_end(&state.settings).or(state.ends);
        let servers = lock(&self.server_ends).values().min().copied();
        state.ends.into_iter().chain(servers).min()
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
