//! Errors in TLS settings.

use std::io;
use std::path::PathBuf;

/// TLS settings that cannot work, which is a start-up error. The text names the file or the key,
/// never its content.
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
