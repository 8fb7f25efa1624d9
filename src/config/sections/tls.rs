//! `[redis.tls]`, and what it shares with TLS to others.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::config::engine::report::Report;
use crate::config::engine::units::Secret;

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
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    /// For warnings.
    system: &'static str,
    enabled: &'static str,
    ca_file: &'static str,
    ca_pem: &'static str,
    cert_file: &'static str,
    key_file: &'static str,
    server_name: &'static str,
    skip_verify: &'static str,
}

pub(crate) const REDIS: Keys = Keys {
    system: "redis",
    enabled: "redis.tls.enabled",
    ca_file: "redis.tls.ca_file",
    ca_pem: "redis.tls.ca_pem",
    cert_file: "redis.tls.cert_file",
    key_file: "redis.tls.key_file",
    server_name: "redis.tls.server_name",
    skip_verify: "redis.tls.skip_verify",
};

pub(crate) const SENTINEL: Keys = Keys {
    system: "sentinel",
    enabled: "redis.sentinel.tls.enabled",
    ca_file: "redis.sentinel.tls.ca_file",
    ca_pem: "redis.sentinel.tls.ca_pem",
    cert_file: "redis.sentinel.tls.cert_file",
    key_file: "redis.sentinel.tls.key_file",
    server_name: "redis.sentinel.tls.server_name",
    skip_verify: "redis.sentinel.tls.skip_verify",
};

pub(crate) const KAFKA: Keys = Keys {
    system: "kafka",
    enabled: "kafka.tls.enabled",
    ca_file: "kafka.tls.ca_file",
    ca_pem: "kafka.tls.ca_pem",
    cert_file: "kafka.tls.cert_file",
    key_file: "kafka.tls.key_file",
    server_name: "kafka.tls.server_name",
    skip_verify: "kafka.tls.skip_verify",
};

/// What was typed for the keys that all tables have.
pub(crate) struct Typed<'a> {
    pub(crate) ca_file: Option<&'a Path>,
    pub(crate) ca_pem: Option<&'a Secret>,
    pub(crate) cert_file: Option<&'a Path>,
    pub(crate) key_file: Option<&'a Path>,
    pub(crate) skip_verify: bool,
}

impl Keys {
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

    /// Errors for all besides `enabled` that was given although there is no TLS; `why` completes
    /// "has no effect ...".
    pub(crate) fn unused(&self, skip_verify: bool, why: &str, report: &mut Report) {
        for key in [self.ca_file, self.ca_pem, self.cert_file, self.key_file, self.server_name] {
            report.no_effect(key, why);
        }
        if skip_verify {
            report.no_effect(self.skip_verify, why);
        }
    }

    pub(crate) fn resolve(&self, typed: &Typed<'_>, report: &mut Report) -> Tls {
        if typed.skip_verify {
            let system = self.system;
            report.warn(format!(
                "{system}: TLS certificates are NOT verified: anyone in between \
                can read and change everything"
            ));
            for key in [self.ca_file, self.ca_pem]
                .into_iter()
                .filter(|key| report.given(key))
                .collect::<Vec<_>>()
            {
                report.warn(format!(
                    "{} is not used while certificates are not verified",
                    report.place(key)
                ));
            }
        }
        let ca = match (typed.ca_file, typed.ca_pem) {
            (Some(_), Some(_)) => {
                let pem = report.place(self.ca_pem);
                report.error(self.ca_file, format_args!("given beside {pem}: give one"));
                None
            }
            (Some(path), None) => Some(Pem::File(path.to_owned())),
            (None, Some(pem)) => Some(Pem::Inline(pem.0.clone(), self.ca_pem)),
            (None, None) => None,
        };
        let mut lonely = |key: &str, other: &str| {
            report.error(key, format_args!("needs {other} beside it"));
            None
        };
        let client = match (typed.cert_file, typed.key_file) {
            (Some(cert), Some(key)) => {
                Some((Pem::File(cert.to_owned()), Pem::File(key.to_owned())))
            }
            (Some(_), None) => lonely(self.cert_file, self.key_file),
            (None, Some(_)) => lonely(self.key_file, self.cert_file),
            (None, None) => None,
        };
        Tls { ca, client, server_name: None, skip_verify: typed.skip_verify }
    }
}

/// What a URL says of TLS.
pub(crate) struct UrlTls {
    /// Where the URL was typed.
    pub(crate) key: String,
    /// `rediss://`.
    pub(crate) secure: bool,
    /// `#insecure`.
    pub(crate) insecure: bool,
}

/// TLS to Redis or to its sentinels.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTls {
    /// Implied by rediss://; true makes redis:// TLS too.
    pub(crate) enabled: bool,
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

impl RawTls {
    /// Errors for all that was given although there is no TLS; `why` completes "has no effect ...".
    pub(crate) fn unused(&self, keys: Keys, why: &str, report: &mut Report) {
        if self.enabled {
            report.no_effect(keys.enabled, why);
        }
        keys.unused(self.skip_verify, why, report);
    }

    /// `urls`: of all servers that this table is about.
    pub(crate) fn resolve(&self, keys: Keys, urls: &[UrlTls], report: &mut Report) -> Option<Tls> {
        let secure = urls.iter().find(|url| url.secure);
        let insecure = urls.iter().find(|url| url.insecure);
        if secure.is_none() && !self.enabled {
            self.unused(
                keys,
                &format!("without TLS: set {} = true or write rediss://", keys.enabled),
                report,
            );
            if let Some(url) = insecure {
                report.warn(format!(
                    "{}: #insecure changes nothing without TLS",
                    report.place(&url.key)
                ));
            }
            return None;
        }
        if let Some(secure) = secure.filter(|_| !self.enabled) {
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
        }
        if let Some(url) = insecure.filter(|_| !self.skip_verify && report.given(keys.skip_verify))
        {
            let place = report.place(&url.key);
            report.error(
                keys.skip_verify,
                format_args!("is false, but {place} ends in #insecure: give one"),
            );
        }
        let typed = Typed {
            ca_file: self.ca_file.as_deref(),
            ca_pem: self.ca_pem.as_ref(),
            cert_file: self.cert_file.as_deref(),
            key_file: self.key_file.as_deref(),
            skip_verify: self.skip_verify || insecure.is_some(),
        };
        Some(Tls { server_name: self.server_name.clone(), ..keys.resolve(&typed, report) })
    }

    /// What `valid` came to, in the form that is typed.
    pub(crate) fn effective(&self, valid: Option<&Tls>) -> Self {
        Self {
            enabled: valid.is_some(),
            skip_verify: valid.is_some_and(|tls| tls.skip_verify),
            ..self.clone()
        }
    }
}
