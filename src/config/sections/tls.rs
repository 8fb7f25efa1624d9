//! `[redis.tls]`, and the rules that it shares with TLS to the sentinels and to Kafka.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::Secret;

/// How a connection is encrypted.
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

/// A table of TLS keys, by their names.
pub(crate) struct TlsKeys {
    /// The system that is connected to, for warnings.
    system: &'static str,
    /// Completes "has no effect ..." where there is no TLS.
    without: &'static str,
    enabled: &'static str,
    ca_file: &'static str,
    ca_pem: &'static str,
    cert_file: &'static str,
    key_file: &'static str,
    server_name: &'static str,
    skip_verify: &'static str,
}

pub(crate) static REDIS: TlsKeys = TlsKeys {
    system: "redis",
    without: "without TLS: set redis.tls.enabled = true or write rediss://",
    enabled: "redis.tls.enabled",
    ca_file: "redis.tls.ca_file",
    ca_pem: "redis.tls.ca_pem",
    cert_file: "redis.tls.cert_file",
    key_file: "redis.tls.key_file",
    server_name: "redis.tls.server_name",
    skip_verify: "redis.tls.skip_verify",
};

pub(crate) static SENTINEL: TlsKeys = TlsKeys {
    system: "sentinel",
    without: "without TLS: set redis.sentinel.tls.enabled = true or write rediss://",
    enabled: "redis.sentinel.tls.enabled",
    ca_file: "redis.sentinel.tls.ca_file",
    ca_pem: "redis.sentinel.tls.ca_pem",
    cert_file: "redis.sentinel.tls.cert_file",
    key_file: "redis.sentinel.tls.key_file",
    server_name: "redis.sentinel.tls.server_name",
    skip_verify: "redis.sentinel.tls.skip_verify",
};

pub(crate) static KAFKA: TlsKeys = TlsKeys {
    system: "kafka",
    without: "without kafka.tls.enabled = true",
    enabled: "kafka.tls.enabled",
    ca_file: "kafka.tls.ca_file",
    ca_pem: "kafka.tls.ca_pem",
    cert_file: "kafka.tls.cert_file",
    key_file: "kafka.tls.key_file",
    server_name: "kafka.tls.server_name",
    skip_verify: "kafka.tls.skip_verify",
};

impl TlsKeys {
    /// The files among the PEM texts, with their keys.
    pub(crate) fn files<'a>(
        &self,
        tls: &'a Tls,
    ) -> impl Iterator<Item = (&'static str, &'a PathBuf)> + use<'a> {
        let (cert_file, key_file) = (self.cert_file, self.key_file);
        let client =
            tls.client.iter().flat_map(move |(cert, key)| [(cert_file, cert), (key_file, key)]);
        let ca_file = self.ca_file;
        tls.ca.iter().map(move |ca| (ca_file, ca)).chain(client).filter_map(
            |(key, pem)| match pem {
                Pem::File(path) => Some((key, path)),
                Pem::Inline(..) => None,
            },
        )
    }
}

/// TLS as a URL has it.
pub(crate) struct UrlTls {
    /// Where the URL was typed.
    pub(crate) key: String,
    /// `rediss://`.
    pub(crate) secure: bool,
    /// `#insecure`.
    pub(crate) insecure: bool,
}

/// TLS. Certificates and keys that change are used for new connections; while what is in a file
/// cannot be used, the former ones stay in use.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTls {
    /// Implied by `rediss://`; true makes `redis://` TLS, too.
    pub(crate) enabled: bool,
    /// Certificates to trust instead of the system's: a PEM file, which may hold several.
    pub(crate) ca_file: Option<PathBuf>,
    /// The same certificates as text.
    pub(crate) ca_pem: Option<Secret>,
    /// The client's certificate chain, PEM.
    pub(crate) cert_file: Option<PathBuf>,
    /// The client's private key, PEM.
    pub(crate) key_file: Option<PathBuf>,
    /// The name to verify and to ask for, instead of the host.
    pub(crate) server_name: Option<String>,
    /// Accept any certificate: anyone in between can read and change everything.
    pub(crate) skip_verify: bool,
}

impl RawTls {
    /// Errors for all that was given although there is no TLS; `why` completes "has no effect ...".
    pub(crate) fn unused(&self, keys: &TlsKeys, why: &str, report: &mut ConfigReport) {
        if self.enabled {
            report.no_effect(keys.enabled, why);
        }
        for key in [keys.ca_file, keys.ca_pem, keys.cert_file, keys.key_file, keys.server_name] {
            report.no_effect(key, why);
        }
        if self.skip_verify {
            report.no_effect(keys.skip_verify, why);
        }
    }

    /// The valid form, if there is TLS. `urls` are those of all servers that this table is about.
    pub(crate) fn resolve(
        &self,
        keys: &TlsKeys,
        urls: &[UrlTls],
        report: &mut ConfigReport,
    ) -> Option<Tls> {
        let insecure = urls.iter().find(|url| url.insecure);
        if !self.is_on(keys, urls, report) {
            if let Some(url) = insecure {
                report.warn(format!(
                    "{}: #insecure changes nothing without TLS",
                    report.place(&url.key)
                ));
            }
            return None;
        }
        if let Some(url) = insecure.filter(|_| !self.skip_verify && report.given(keys.skip_verify))
        {
            let place = report.place(&url.key);
            report.error(
                keys.skip_verify,
                format_args!("is false, but {place} ends in #insecure: give one"),
            );
        }
        let skip_verify = self.skip_verify || insecure.is_some();
        if skip_verify {
            self.warn_unverified(keys, report);
        }
        let (ca, client) = (self.authorities(keys, report), self.client(keys, report));
        Some(Tls { ca, client, server_name: self.server_name.clone(), skip_verify })
    }

    /// Whether the table or a URL asks for TLS; errors where they contradict each other.
    fn is_on(&self, keys: &TlsKeys, urls: &[UrlTls], report: &mut ConfigReport) -> bool {
        if self.enabled {
            return true;
        }
        let Some(secure) = urls.iter().find(|url| url.secure) else {
            self.unused(keys, keys.without, report);
            return false;
        };
        let place = report.place(&secure.key);
        if report.given(keys.enabled) {
            report.error(
                keys.enabled,
                format_args!("is false, but {place} says rediss://: give one"),
            );
        } else if let Some(plain) = urls.iter().find(|url| !url.secure) {
            report.error(
                &plain.key,
                format_args!(
                    "says redis://, but {place} says rediss://: TLS is for all nodes \
                    or for none"
                ),
            );
        }
        true
    }

    fn warn_unverified(&self, keys: &TlsKeys, report: &mut ConfigReport) {
        let system = keys.system;
        report.warn(format!(
            "{system}: TLS certificates are NOT verified: anyone in between \
            can read and change everything"
        ));
        let unused = [keys.ca_file, keys.ca_pem].into_iter().filter(|key| report.given(key));
        for key in unused.collect::<Vec<_>>() {
            report.warn(format!(
                "{} is not used while certificates are not verified",
                report.place(key)
            ));
        }
    }

    /// The certificates to trust.
    fn authorities(&self, keys: &TlsKeys, report: &mut ConfigReport) -> Option<Pem> {
        match (&self.ca_file, &self.ca_pem) {
            (Some(_), Some(_)) => {
                let pem = report.place(keys.ca_pem);
                report.error(keys.ca_file, format_args!("given beside {pem}: give one"));
                None
            }
            (Some(path), None) => Some(Pem::File(path.clone())),
            (None, Some(pem)) => Some(Pem::Inline(pem.0.clone(), keys.ca_pem)),
            (None, None) => None,
        }
    }

    /// The client's certificate chain and its key.
    fn client(&self, keys: &TlsKeys, report: &mut ConfigReport) -> Option<(Pem, Pem)> {
        let mut incomplete = |key: &str, other: &str| {
            report.error(key, format_args!("needs {other} beside it"));
            None
        };
        match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => Some((Pem::File(cert.clone()), Pem::File(key.clone()))),
            (Some(_), None) => incomplete(keys.cert_file, keys.key_file),
            (None, Some(_)) => incomplete(keys.key_file, keys.cert_file),
            (None, None) => None,
        }
    }

    /// `valid` in the form that is typed.
    pub(crate) fn effective(&self, valid: Option<&Tls>) -> Self {
        Self {
            enabled: valid.is_some(),
            skip_verify: valid.is_some_and(|tls| tls.skip_verify),
            ..self.clone()
        }
    }
}
