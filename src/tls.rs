//! PEM -> rustls client configurations. The only place that reads PEM.

mod live;
mod peer;
mod verify;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};
use rustls_pemfile::Item;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::live::LiveTls;
pub use self::peer::PeerCertificate;
use crate::config::{Pem, Tls};

/// TLS settings that cannot work: a start-up error. The text names the file or the key, never its
/// content.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("no certificates found in {from} (PEM text with BEGIN CERTIFICATE is needed)")]
    NoCertificates { from: String },
    #[error("{from} is not valid PEM: {why}")]
    Malformed { from: String, why: String },
    #[error("no certificate in {from} can be used: {why}")]
    Unusable { from: String, why: String },
    #[error("no private key found in {from}")]
    NoKey { from: String },
    #[error(
        "the private key in {from} is encrypted, which is not supported: decrypt it with `openssl \
         pkey -in KEY -out PLAIN`"
    )]
    EncryptedKey { from: String },
    #[error("the private key in {key} does not belong to the certificate in {certificate}")]
    KeyMismatch { certificate: String, key: String },
    #[error("the client certificate in {certificate} with the key in {key} cannot be used: {why}")]
    ClientCertificate { certificate: String, key: String, why: String },
    #[error(
        "the system has no usable root certificates{why}: install ca-certificates or set \
         redis.tls.ca_file"
    )]
    NoSystemRoots { why: String },
    #[error("redis.tls.server_name {name:?} is neither a host name nor an IP address")]
    ServerName { name: String },
    #[error("TLS over a Unix socket is not possible: remove redis.tls or use a host name")]
    UnixSocket,
}

/// Everything needed to speak TLS to one server; built once, used for every connection.
pub struct TlsClient {
    config: ClientConfig,
    verifier: Arc<dyn ServerCertVerifier>,
    server_name: Option<ServerName<'static>>,
    trust: String,
    verified: bool,
    client_certificate: bool,
}

/// Why a handshake failed, and what the server showed of itself.
#[derive(Debug)]
pub struct HandshakeError {
    /// Carries a [`rustls::Error`] unless the transport failed.
    pub error: io::Error,
    pub peer: Option<PeerCertificate>,
}

impl TlsClient {
    /// Reads the files.
    pub fn new(tls: &Tls) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for TLS 1.2 and 1.3");
        let given = tls.ca.as_ref().map(roots).transpose()?;
        let (verifier, trust): (Arc<dyn ServerCertVerifier>, _) = match (tls.skip_verify, given) {
            (true, _) => (
                Arc::new(verify::Anything::new(&provider)),
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

    /// What server certificates are checked against, for messages.
    pub fn trust(&self) -> &str {
        &self.trust
    }

    pub fn has_client_certificate(&self) -> bool {
        self.client_certificate
    }

    /// Shakes hands over `stream`, verifying the configured server name or else `host`.
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
        // A verifier for each handshake: rustls does not tell which certificate it refused.
        let witness = Arc::new(verify::Witness::new(Arc::clone(&self.verifier)));
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::<verify::Witness>::clone(&witness));
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        shaken.map_err(|error| HandshakeError { error, peer: witness.seen() })
    }
}

/// Looks at what another TLS library will read by itself: is there a certificate in `pem`?
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn check_certificates(pem: &Pem) -> Result<(), TlsError> {
    certificates(pem).map(drop)
}

/// The same for a private key that is not encrypted.
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn check_private_key(pem: &Pem) -> Result<(), TlsError> {
    private_key(pem).map(drop)
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

/// The trust store of a CA file or inline bundle, and where it is from.
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

/// All certificates of `pem`, at least one; keys in between are passed over.
fn certificates(pem: &Pem) -> Result<(Vec<CertificateDer<'static>>, String), TlsError> {
    let (text, from) = read(pem)?;
    let found: Result<Vec<_>, _> =
        rustls_pemfile::certs(&mut text.expose_secret().as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(TlsError::NoCertificates { from }),
        Ok(found) => Ok((found, from)),
        Err(error) => Err(TlsError::Malformed { from, why: error.to_string() }),
    }
}

/// The first private key of `pem`: PKCS#8, SEC1 or PKCS#1.
fn private_key(pem: &Pem) -> Result<(PrivateKeyDer<'static>, String), TlsError> {
    let (text, from) = read(pem)?;
    let encrypted = |line: &str| {
        line.starts_with("-----BEGIN ENCRYPTED") || line.starts_with("Proc-Type: 4,ENCRYPTED")
    };
    if text.expose_secret().lines().any(encrypted) {
        return Err(TlsError::EncryptedKey { from });
    }
    for item in rustls_pemfile::read_all(&mut text.expose_secret().as_bytes()) {
        match item {
            Ok(Item::Pkcs8Key(key)) => return Ok((key.into(), from)),
            Ok(Item::Sec1Key(key)) => return Ok((key.into(), from)),
            Ok(Item::Pkcs1Key(key)) => return Ok((key.into(), from)),
            Ok(_) => {}
            Err(error) => return Err(TlsError::Malformed { from, why: error.to_string() }),
        }
    }
    Err(TlsError::NoKey { from })
}

/// The text, and where it is from, for messages.
fn read(pem: &Pem) -> Result<(SecretString, String), TlsError> {
    match pem {
        Pem::Inline(text, key) => Ok((text.clone(), (*key).to_owned())),
        Pem::File(path) => {
            let bytes = std::fs::read(path)
                .map_err(|source| TlsError::Read { path: path.clone(), source })?;
            Ok((String::from_utf8_lossy(&bytes).into_owned().into(), path.display().to_string()))
        }
    }
}
