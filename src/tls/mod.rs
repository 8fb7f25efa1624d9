//! TLS clients: from the settings to a rustls configuration, and the handshake.

mod ends;
mod error;
mod live;
mod peer;
mod pem;
mod verify;

use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::ends::{chain_end, first_end};
pub use self::error::TlsError;
pub use self::live::LiveTls;
pub use self::peer::PeerCertificate;
use self::pem::{certificates, private_key};
pub use self::pem::{check_certificates, check_private_key};
use crate::config::{Pem, Tls};

/// A TLS client for one server; built once, used for every connection.
pub struct TlsClient {
    config: ClientConfig,
    verifier: Arc<dyn ServerCertVerifier>,
    server_name: Option<ServerName<'static>>,
    trust: String,
    verified: bool,
    client_certificate: bool,
}

/// Why a handshake failed, and the certificate that the server sent.
#[derive(Debug)]
pub struct HandshakeError {
    /// Holds a [`rustls::Error`] unless the transport failed.
    pub error: io::Error,
    pub peer: Option<PeerCertificate>,
}

impl TlsClient {
    /// Reads the files of `tls`.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn new(tls: &Tls) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for TLS 1.2 and 1.3");
        let given = tls.ca.as_ref().map(roots).transpose()?;
        let (verifier, trust): (Arc<dyn ServerCertVerifier>, _) = match (tls.skip_verify, given) {
            (true, _) => (
                Arc::new(verify::AcceptAnything::new(&provider)),
                "nothing (verification is off)".to_owned(),
            ),
            (false, Some((roots, from))) => (verifier(roots, &provider, &from)?, from),
            (false, None) => {
                let (roots, from) = system_roots()?;
                (verifier(roots, &provider, &from)?, from)
            }
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::clone(&verifier));
        let config = match &tls.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, certificate) = certificates(certificate)?;
                let (private_key, key) = private_key(key)?;
                builder.with_client_auth_cert(chain, private_key).map_err(|error| match error {
                    rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                        TlsError::KeyMismatch { certificate, key }
                    }
                    other => {
                        TlsError::ClientCertificate { certificate, key, why: other.to_string() }
                    }
                })?
            }
        };
        let server_name = tls.server_name.as_deref().map(server_name).transpose()?;
        let (verified, client_certificate) = (!tls.skip_verify, tls.client.is_some());
        Ok(Self { config, verifier, server_name, trust, verified, client_certificate })
    }

    /// False with `skip_verify`: anybody can pose as the server.
    pub fn is_verified(&self) -> bool {
        self.verified
    }

    /// The roots that server certificates are checked against, for messages.
    pub fn trust(&self) -> &str {
        &self.trust
    }

    /// True when the client has a certificate of its own.
    pub fn has_client_certificate(&self) -> bool {
        self.client_certificate
    }

    /// Performs the handshake over `stream`; the certificate must be for the configured server
    /// name, or else for `host`.
    pub async fn connect<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host).map_err(|error| HandshakeError {
                error: io::Error::other(error.to_string()),
                peer: None,
            })?,
        };
        // Each handshake has a verifier of its own: rustls does not say which certificate it
        // refused.
        let verifier = Arc::new(verify::RecordingVerifier::new(Arc::clone(&self.verifier)));
        let mut config = self.config.clone();
        config
            .dangerous()
            .set_certificate_verifier(Arc::<verify::RecordingVerifier>::clone(&verifier));
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        connected.map_err(|error| HandshakeError { error, peer: verifier.seen() })
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned())
        .map_err(|_| TlsError::ServerName { name: name.to_owned() })
}

fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
    from: &str,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| TlsError::Unusable { from: from.to_owned(), why: error.to_string() })
}

/// The certificates of a CA file or inline bundle, and where they are from, for messages.
fn roots(ca: &Pem) -> Result<(RootCertStore, String), TlsError> {
    let (certificates, from) = certificates(ca)?;
    let mut roots = RootCertStore::empty();
    let mut unusable = None;
    for certificate in certificates {
        if let Err(error) = roots.add(certificate) {
            unusable = Some(error.to_string());
        }
    }
    match unusable {
        Some(why) if roots.is_empty() => Err(TlsError::Unusable { from, why }),
        Some(why) => {
            tracing::warn!(
                from,
                why,
                "a certificate of the CA bundle cannot be used and is left out"
            );
            Ok((roots, from))
        }
        None => Ok((roots, from)),
    }
}

fn system_roots() -> Result<(RootCertStore, String), TlsError> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let why = loaded.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(TlsError::NoSystemRoots { why });
    }
    let from = format!("the system's {} root certificates", roots.len());
    Ok((roots, from))
}
