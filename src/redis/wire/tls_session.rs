//! The parameters that were agreed with a TLS server.

/// The version, cipher and protocol that were agreed with a TLS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSession {
    /// `TLSv1_3`
    pub protocol: String,
    pub cipher: String,
    pub verified: bool,
}

impl TlsSession {
    pub(super) fn of(connection: &rustls::ClientConnection, verified: bool) -> Self {
        let protocol =
            connection.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
        let cipher = connection
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default();
        Self { protocol, cipher, verified }
    }
}
