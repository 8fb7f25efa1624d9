//! `[kafka.tls]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Tls;
use crate::config::engine::report::Report;
use crate::config::engine::units::Secret;
use crate::config::sections::tls::{KAFKA, Typed};

/// TLS to the brokers.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawKafkaTls {
    enabled: bool,
    /// Certificates to trust instead of the system's: a PEM file, which may hold several.
    ca_file: Option<PathBuf>,
    /// The same as text.
    ca_pem: Option<Secret>,
    /// The client's certificate chain, PEM.
    cert_file: Option<PathBuf>,
    /// The client's private key, PEM.
    key_file: Option<PathBuf>,
    /// Accept any certificate: anyone in between can read and change everything.
    skip_verify: bool,
}

impl RawKafkaTls {
    pub(super) fn resolve(&self, report: &mut Report) -> Option<Tls> {
        let typed = Typed {
            ca_file: self.ca_file.as_deref(),
            ca_pem: self.ca_pem.as_ref(),
            cert_file: self.cert_file.as_deref(),
            key_file: self.key_file.as_deref(),
            skip_verify: self.skip_verify,
        };
        if self.enabled {
            return Some(KAFKA.resolve(&typed, report));
        }
        KAFKA.unused(self.skip_verify, "without kafka.tls.enabled = true", report);
        None
    }
}
