//! `[kafka.sasl]`: how to log in.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::PathBuf;

use hyper::Uri;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::engine::quotable::quotable;
use crate::config::engine::report::ConfigReport;
use crate::config::engine::secrets::secret;
use crate::config::engine::units::{Secret, text_form};

/// How to log in.
#[derive(Debug, Clone)]
pub enum Sasl {
    /// `mechanism` is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
    Password { mechanism: &'static str, username: String, password: SecretString },
    /// Client credentials against a token endpoint (RFC 6749, section 4.4).
    OAuthBearer {
        token_url: String,
        client_id: String,
        client_secret: SecretString,
        scope: Option<String>,
    },
}

/// How to log in to the brokers.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawSasl {
    /// How the login is made; without it there is none.
    mechanism: Option<Mechanism>,
    /// User name, for PLAIN and SCRAM.
    username: Option<String>,
    /// The user's password.
    password: Option<Secret>,
    /// A file that holds the password.
    password_file: Option<PathBuf>,
    /// For OAUTHBEARER: the endpoint that gives tokens for client credentials.
    token_url: Option<TokenUrl>,
    /// The client's name at that endpoint.
    client_id: Option<String>,
    /// The client's secret.
    client_secret: Option<Secret>,
    /// A file that holds the client secret.
    client_secret_file: Option<PathBuf>,
    /// The scope of the token, if the endpoint asks for one.
    scope: Option<String>,
}

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
enum Mechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    #[serde(rename = "OAUTHBEARER")]
    OAuthBearer,
}

/// A token endpoint; printed without what may be a secret.
#[derive(Debug, Clone)]
struct TokenUrl(String);

text_form!(
    TokenUrl,
    "url",
    "https://login.example/token",
    |text: &str| Ok::<_, String>(text.to_owned()),
    |url: &String| { quotable(url) }
);

/// Why tokens are not fetched from `url`, if so. The text does not quote it: what is wrong with it
/// may be a secret in it.
pub fn token_url_error(url: &str) -> Option<&'static str> {
    if url.contains('@') {
        return Some("holds credentials: use kafka.sasl.client_id and client_secret");
    }
    let Ok(uri) = url.parse::<Uri>() else { return Some("is not a URL") };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    match uri.scheme_str() {
        Some("https" | "http") if host.is_empty() => Some("names no host"),
        Some("https") => None,
        Some("http") if is_loopback(host) => None,
        Some("http") => Some("would send the client secret in plain text: use https"),
        _ => Some("must begin with https://"),
    }
}

/// A name or an address of this machine.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

const PASSWORD_KEYS: [&str; 3] = ["username", "password", "password_file"];
const TOKEN_KEYS: [&str; 5] =
    ["token_url", "client_id", "client_secret", "client_secret_file", "scope"];

impl RawSasl {
    pub(super) fn resolve(&self, report: &mut ConfigReport) -> Option<Sasl> {
        let mut unused = |keys: &[&str], why: &str| {
            keys.iter().for_each(|key| report.no_effect(&format!("kafka.sasl.{key}"), why))
        };
        let mechanism = match self.mechanism {
            None => {
                let why = "without kafka.sasl.mechanism";
                unused(&PASSWORD_KEYS, why);
                unused(&TOKEN_KEYS, why);
                return None;
            }
            Some(Mechanism::OAuthBearer) => {
                unused(&PASSWORD_KEYS, "with kafka.sasl.mechanism = \"OAUTHBEARER\"");
                return self.tokens(report);
            }
            Some(Mechanism::Plain) => "PLAIN",
            Some(Mechanism::ScramSha256) => "SCRAM-SHA-256",
            Some(Mechanism::ScramSha512) => "SCRAM-SHA-512",
        };
        unused(&TOKEN_KEYS, &format!("with kafka.sasl.mechanism = \"{mechanism}\""));
        let password = secret(
            report,
            "kafka.sasl.password",
            self.password.as_ref(),
            self.password_file.as_deref(),
        );
        let username = needed(report, mechanism, "username", self.username.clone());
        if password.is_none() && self.password_file.is_none() {
            needed(report, mechanism, "password", None::<String>);
        }
        Some(Sasl::Password { mechanism, username: username?, password: password? })
    }

    fn tokens(&self, report: &mut ConfigReport) -> Option<Sasl> {
        let client_secret = secret(
            report,
            "kafka.sasl.client_secret",
            self.client_secret.as_ref(),
            self.client_secret_file.as_deref(),
        );
        let token_url = needed(
            report,
            "OAUTHBEARER",
            "token_url",
            self.token_url.as_ref().map(|url| url.0.clone()),
        );
        if let Some(why) = token_url.as_deref().and_then(token_url_error) {
            report.error("kafka.sasl.token_url", why);
        }
        let client_id = needed(report, "OAUTHBEARER", "client_id", self.client_id.clone());
        if client_secret.is_none() && self.client_secret_file.is_none() {
            needed(report, "OAUTHBEARER", "client_secret", None::<String>);
        }
        let scope = self.scope.clone();
        Some(Sasl::OAuthBearer {
            token_url: token_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            scope,
        })
    }
}

/// An error unless `key` has a value.
fn needed<T>(report: &mut ConfigReport, mechanism: &str, key: &str, value: Option<T>) -> Option<T> {
    if value.is_none() {
        report.error(
            &format!("kafka.sasl.{key}"),
            format_args!("is needed for kafka.sasl.mechanism = \"{mechanism}\""),
        );
    }
    value
}
