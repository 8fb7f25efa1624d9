//! `[admin]`: the listener for operators.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::config::engine::report::ConfigReport;
use crate::config::engine::secrets::read;
use crate::config::engine::units::{As, Listen};

/// The admin listener: `/metrics`, `/live`, `/ready`, `/api/status`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// IP address and port.
    #[serde(with = "As::<Listen>")]
    pub listen: SocketAddr,
    /// What `/api/tap` and `traitsink tap` show of events. There is no access control: whoever
    /// reaches the listener sees it.
    pub tap: TapMode,
    /// Whether `/api/profile` answers with the stored profile of a user, to requests with the token
    /// of `token_file`.
    pub profile_lookup: bool,
    /// A file whose only line is the Bearer token for `/api/profile`. It is read again for each
    /// request.
    pub token_file: Option<PathBuf>,
}

/// What a tap shows of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TapMode {
    /// Nothing; `/api/tap` answers 404.
    Off,
    /// Outcomes, hashed user ids and the names of fields; `***` in place of every value.
    #[default]
    Redacted,
    /// Keys and values, too: personal data.
    Full,
}

impl Default for Admin {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 9464));
        Self { listen, profile_lookup: false, token_file: None, tap: TapMode::default() }
    }
}

impl Admin {
    /// A warning when whoever reaches this machine sees personal data.
    pub(crate) fn exposure(&self) -> Option<String> {
        let exposed = self.tap == TapMode::Full && !self.listen.ip().to_canonical().is_loopback();
        exposed.then(|| {
            format!(
                "admin.tap = \"full\": whoever reaches {} sees the keys and values of events; \
                 admin.listen is no loopback address, and asks nobody for a password",
                self.listen
            )
        })
    }

    /// Errors for look-ups without a token, and for a token that no request could carry.
    pub(crate) fn check(&self, report: &mut ConfigReport) {
        if !self.profile_lookup {
            return;
        }
        let Some(path) = &self.token_file else {
            report.error(
                "admin.profile_lookup",
                "needs admin.token_file: without a token anyone who reaches the admin listener \
                 could read profiles",
            );
            return;
        };
        let token = read(report, "admin.token_file", path);
        if token.is_some_and(|token| !token.expose_secret().bytes().all(|b| b.is_ascii_graphic())) {
            report.error(
                "admin.token_file",
                "its token is not one line of ASCII letters, digits and signs without a space: no \
                 Authorization header could carry it",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_tap_that_others_can_reach_is_warned_of() {
        for (listen, tap, warned) in [
            ("127.0.0.1:9464", TapMode::Full, false),
            ("[::1]:9464", TapMode::Full, false),
            ("0.0.0.0:9464", TapMode::Redacted, false),
            ("0.0.0.0:9464", TapMode::Full, true),
        ] {
            let admin = Admin { listen: listen.parse().unwrap(), tap, ..Admin::default() };
            assert_eq!(admin.exposure().is_some(), warned, "{listen} {tap:?}");
        }
    }

    #[test]
    fn look_ups_need_a_token_that_a_request_can_carry() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        let errors = |profile_lookup, token: Option<&str>| {
            match token {
                Some(token) => std::fs::write(&file, token).unwrap(),
                None => drop(std::fs::remove_file(&file)),
            }
            let token_file = Some(file.clone());
            let mut report = ConfigReport::default();
            Admin { profile_lookup, token_file, ..Admin::default() }.check(&mut report);
            report.finish().err().map(|errors| errors.to_string()).unwrap_or_default()
        };
        for token in ["abc", "abc\n", "a-b_c.~+/=="] {
            assert_eq!(errors(true, Some(token)), "", "{token:?}");
        }
        for (token, error) in [
            (Some("\n"), "is empty"),
            (None, "cannot be read"),
            (Some("a b"), "no Authorization header"),
            (Some("abc\n\n"), "no Authorization header"),
            (Some("abc\u{e9}"), "no Authorization header"),
        ] {
            let found = errors(true, token);
            assert!(found.contains("admin.token_file") && found.contains(error), "{found}");
            assert!(!found.contains("abc"), "{found}");
            assert_eq!(errors(false, token), "", "look-ups are off");
        }
    }
}
