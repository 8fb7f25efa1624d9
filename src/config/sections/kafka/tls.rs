//! `[kafka.tls]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::Secret;
use crate::config::sections::tls::{KAFKA, RawTls, Tls};

/// TLS to the brokers. Unlike that to Redis it takes no name of the server.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawKafkaTls {
    /// Connect with TLS.
    enabled: bool,
    /// Certificates to trust instead of the system's: a PEM file, which may hold several.
    ca_file: Option<PathBuf>,
    /// The same certificates as text.
    ca_pem: Option<Secret>,
    /// The client's certificate chain, PEM.
    cert_file: Option<PathBuf>,
    /// The client's private key, PEM.
    key_file: Option<PathBuf>,
    /// Accept any certificate: anyone in between can read and change everything.
    skip_verify: bool,
}

impl RawKafkaTls {
    pub(super) fn resolve(&self, report: &mut ConfigReport) -> Option<Tls> {
        let Self { enabled, ca_file, ca_pem, cert_file, key_file, skip_verify } = self.clone();
        let server_name = None;
        RawTls { enabled, ca_file, ca_pem, cert_file, key_file, server_name, skip_verify }.resolve(
            &KAFKA,
            &[],
            report,
        )
    }
}
