//! Reads certificates and private keys from PEM text. No other file reads PEM.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_pemfile::Item;
use secrecy::{ExposeSecret, SecretString};

use super::TlsError;
use crate::config::Pem;

/// Checks that there is a certificate in `pem`, which another TLS library reads by itself.
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn check_certificates(pem: &Pem) -> Result<(), TlsError> {
    certificates(pem).map(drop)
}

/// Checks that there is a private key in `pem` that is not encrypted.
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn check_private_key(pem: &Pem) -> Result<(), TlsError> {
    private_key(pem).map(drop)
}

/// All certificates of `pem`, at least one, and where they are from; keys are ignored.
pub(super) fn certificates(pem: &Pem) -> Result<(Vec<CertificateDer<'static>>, String), TlsError> {
    let (text, from) = read(pem)?;
    let found: Result<Vec<_>, _> =
        rustls_pemfile::certs(&mut text.expose_secret().as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(TlsError::NoCertificates { from }),
        Ok(found) => Ok((found, from)),
        Err(error) => Err(TlsError::Malformed { from, why: error.to_string() }),
    }
}

/// The first private key of `pem` (PKCS#8, SEC1 or PKCS#1), and where it is from.
pub(super) fn private_key(pem: &Pem) -> Result<(PrivateKeyDer<'static>, String), TlsError> {
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

/// The PEM text, and where it is from, for messages.
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
