//! `[redis.tls]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::report::Report;
use super::units::Secret;

#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// System roots when `None`.
    pub ca: Option<Pem>,
    /// Client certificate chain and its key, both or neither.
    pub client: Option<(Pem, Pem)>,
    /// Verified and sent as SNI instead of the host.
    pub server_name: Option<String>,
    pub skip_verify: bool,
}

/// PEM text and where it is from.
#[derive(Debug, Clone)]
pub enum Pem {
    File(PathBuf),
    /// Inline text, and the key it came from (`redis.tls.ca_pem`).
    Inline(SecretString, &'static str),
}

impl Tls {
    /// The files among the PEM texts, with their keys.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let client = self.client.iter().flat_map(|(cert, key)| [("redis.tls.cert_file", cert), ("redis.tls.key_file", key)]);
        self.ca.iter().map(|ca| ("redis.tls.ca_file", ca)).chain(client).filter_map(|(key, pem)| match pem {
            Pem::File(path) => Some((key, path)),
            Pem::Inline(..) => None,
        })
    }
}

/// TLS to Redis.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawTls {
    /// Implied by rediss://; true makes redis:// TLS too.
    pub(super) enabled: bool,
    /// Certificates to trust instead of the system's: a PEM file, which may hold several.
    ca_file: Option<PathBuf>,
    /// The same as text.
    ca_pem: Option<Secret>,
    /// The client's certificate chain, PEM.
    cert_file: Option<PathBuf>,
    /// The client's private key, PEM.
    key_file: Option<PathBuf>,
    /// The name to verify and to ask for, instead of the host.
    server_name: Option<String>,
    /// Accept any certificate: anyone in between can read and change everything.
    skip_verify: bool,
}

/// The keys besides `enabled` and `skip_verify`.
const OPTIONS: [&str; 5] =
    ["redis.tls.ca_file", "redis.tls.ca_pem", "redis.tls.cert_file", "redis.tls.key_file", "redis.tls.server_name"];

impl RawTls {
    /// Errors for all that was given although there is no TLS; `why` completes "has no effect ...".
    pub(super) fn unused(&self, why: &str, report: &mut Report) {
        OPTIONS.iter().for_each(|key| report.no_effect(key, why));
        for (key, on) in [("redis.tls.enabled", self.enabled), ("redis.tls.skip_verify", self.skip_verify)] {
            if on {
                report.no_effect(key, why);
            }
        }
    }

    /// `insecure`: the URL asks to skip verification.
    pub(super) fn resolve(&self, insecure: bool, report: &mut Report) -> Tls {
        if insecure && !self.skip_verify && report.given("redis.tls.skip_verify") {
            let url = report.place("redis.url");
            report.error("redis.tls.skip_verify", format_args!("is false, but {url} ends in #insecure: give one"));
        }
        let skip_verify = self.skip_verify || insecure;
        if skip_verify {
            report.warn("redis: TLS certificates are NOT verified: anyone in between can read and change everything");
            for key in ["redis.tls.ca_file", "redis.tls.ca_pem"].into_iter().filter(|key| report.given(key)).collect::<Vec<_>>() {
                report.warn(format!("{} is not used while certificates are not verified", report.place(key)));
            }
        }
        let ca = match (&self.ca_file, &self.ca_pem) {
            (Some(_), Some(_)) => {
                let pem = report.place("redis.tls.ca_pem");
                report.error("redis.tls.ca_file", format_args!("given beside {pem}: give one"));
                None
            }
            (Some(path), None) => Some(Pem::File(path.clone())),
            (None, Some(pem)) => Some(Pem::Inline(pem.0.clone(), "redis.tls.ca_pem")),
            (None, None) => None,
        };
        let client = match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => Some((Pem::File(cert.clone()), Pem::File(key.clone()))),
            (Some(_), None) => {
                report.error("redis.tls.cert_file", "needs redis.tls.key_file beside it");
                None
            }
            (None, Some(_)) => {
                report.error("redis.tls.key_file", "needs redis.tls.cert_file beside it");
                None
            }
            (None, None) => None,
        };
        Tls { ca, client, server_name: self.server_name.clone(), skip_verify }
    }

    /// What `valid` came to, in the form that is typed.
    pub(super) fn effective(&self, valid: Option<&Tls>) -> Self {
        Self { enabled: valid.is_some(), skip_verify: valid.is_some_and(|tls| tls.skip_verify), ..self.clone() }
    }
}
