//! The parameters that were agreed with a TLS server.

use crate::tls::chain_end;

/// The version, cipher and protocol that were agreed with a TLS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSession {
    /// `TLSv1_3`
    pub protocol: String,
    pub cipher: String,
    pub verified: bool,
    /// When the first certificate of the server's chain ends, in seconds since 1970.
    pub ends: Option<i64>,
}

impl TlsSession {
    pub(super) fn of(connection: &rustls::ClientConnection, verified: bool) -> Self {
        let protocol =
            connection.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
        let cipher = connection
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default();
        let ends = connection.peer_certificates().and_then(chain_end);
        Self { protocol, cipher, verified, ends }
    }
}
