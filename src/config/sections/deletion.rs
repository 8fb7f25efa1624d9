//! `[deletion]`: how users are deleted, and kept deleted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::http::Http;
use super::prefix::parse_prefix;
use crate::config::engine::long_span::LongSpan;
use crate::config::engine::report::ConfigReport;
use crate::config::engine::secrets::secret;
use crate::config::engine::units::{Listen, Secret};
use crate::profile::{Prefix, Profile, fill_in_prefix};

/// How users are deleted, and kept deleted.
#[derive(Debug, Clone)]
pub struct Deletion {
    /// `None`: no API is opened.
    pub api: Option<DeletionApi>,
    /// The name of the `track` event that deletes its user, compared exactly.
    pub event: Option<String>,
    /// With a guard: how long a deleted user stays deleted for older events.
    pub tombstone_ttl: Duration,
    /// Prefixes whose keys are deleted, too: trimmed; empty: keys without a prefix.
    pub prefixes: Vec<String>,
    /// The Redis key of the hash of suppressed users.
    pub suppressions_key: String,
    /// Ids that may be suppressed; at least one.
    pub max_suppressed: usize,
}

/// The listener that takes requests to delete users.
#[derive(Debug, Clone)]
pub struct DeletionApi {
    pub listen: SocketAddr,
    /// As it was at the start: ASCII without a space, not empty, no write key.
    pub token: SecretString,
    /// The file that the token is from.
    pub token_file: Option<PathBuf>,
}

/// How users are deleted, and kept deleted. On when any key is set.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawDeletion {
    /// IP address and port of the API that takes deletions: POST `/regulations`, `/v2/regulations`
    /// and `/deleteUsers`. Write keys do not open it.
    #[schemars(example = &"127.0.0.1:9465")]
    listen: Option<Listen>,
    /// With `listen`: the token of those who may delete, a Bearer token or the password of Basic
    /// authentication.
    token: Option<Secret>,
    /// A file that holds the token.
    token_file: Option<PathBuf>,
    /// The name of a `track` event that deletes its user: from Kafka and files; over HTTP only from
    /// a source with `may_delete`.
    #[schemars(example = &"User Deleted")]
    event: Option<String>,
    /// With `profile.newest_wins`: how long a deleted user stays deleted for older events. Default:
    /// 90d.
    #[schemars(example = &"90d")]
    tombstone_ttl: Option<LongSpan>,
    /// Further prefixes whose keys a deletion removes.
    prefixes: Vec<String>,
    /// The Redis key of a hash that all workers obey: it holds the hashes of suppressed users' ids.
    /// `{prefix}` is `redis.prefix` and a colon, or nothing without one; doubled braces are braces.
    suppressions_key: String,
    /// Users that may be suppressed. At one more the API answers 507: none is ever forgotten.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    max_suppressed: usize,
}

impl Default for RawDeletion {
    fn default() -> Self {
        Self {
            listen: None,
            token: None,
            token_file: None,
            event: None,
            tombstone_ttl: None,
            prefixes: Vec::new(),
            suppressions_key: "{prefix}traitsink:suppressed".into(),
            max_suppressed: 1_000_000,
        }
    }
}

impl Deletion {
    /// Default of `deletion.tombstone_ttl`.
    pub const TOMBSTONE_TTL: Duration = LongSpan::days(90).0;
}

impl RawDeletion {
    /// `None`: no key is set. `redis` is `redis.prefix`.
    pub(crate) fn resolve(
        &self,
        redis: &Prefix,
        http: Option<&Http>,
        profile: &Profile,
        report: &mut ConfigReport,
    ) -> Option<Deletion> {
        if !report.given_below("deletion") {
            return None;
        }
        if !profile.is_guarded() {
            report.no_effect(
                "deletion.tombstone_ttl",
                "with profile.newest_wins = \"off\", which writes no tombstones",
            );
        } else if self.tombstone_ttl.is_some_and(|ttl| ttl.0 < Duration::from_millis(1)) {
            report.error("deletion.tombstone_ttl", "must be at least 1ms");
        }
        Some(Deletion {
            api: self.api(http, report),
            event: self.event.clone(),
            tombstone_ttl: self.tombstone_ttl.map_or(Deletion::TOMBSTONE_TTL, |ttl| ttl.0),
            prefixes: self.prefixes(report),
            suppressions_key: self.suppressions_key(redis.default_text(), report),
            max_suppressed: self.max_suppressed,
        })
    }

    fn api(&self, http: Option<&Http>, report: &mut ConfigReport) -> Option<DeletionApi> {
        let Some(Listen(listen)) = self.listen else {
            for key in ["deletion.token", "deletion.token_file"] {
                report.no_effect(key, "without deletion.listen");
            }
            return None;
        };
        if self.token.is_none() && self.token_file.is_none() {
            report.error(
                "deletion.listen",
                "needs deletion.token or deletion.token_file: without a token anyone who reaches \
                 it could delete users",
            );
        }
        let (value, file) = (self.token.as_ref(), self.token_file.as_deref());
        let token = secret(report, "deletion.token", value, file)?;
        let text = token.expose_secret();
        let key = if value.is_some() { "deletion.token" } else { "deletion.token_file" };
        let write_keys = || http.into_iter().flat_map(|http| &http.write_keys);
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            report.error(
                key,
                "is not one line of ASCII letters, digits and signs without a space: no \
                 Authorization header could carry it",
            );
        } else if write_keys().any(|key| key.key.expose_secret() == text) {
            report.error(
                key,
                "is one of the write keys, which anyone can read in a website: make a token of its \
                 own",
            );
        }
        Some(DeletionApi { listen, token, token_file: self.token_file.clone() })
    }

    fn prefixes(&self, report: &mut ConfigReport) -> Vec<String> {
        let prefixes = self.prefixes.iter().enumerate().filter_map(|(n, typed)| {
            match parse_prefix(typed) {
                Ok(Prefix::Fixed(prefix)) => return Some(prefix),
                Ok(Prefix::Dynamic { .. }) => report.error(
                    &format!("deletion.prefixes[{n}]"),
                    "is chosen by events, and here there is none: write a fixed prefix",
                ),
                Err(error) => report.error(&format!("deletion.prefixes[{n}]"), error),
            }
            None
        });
        prefixes.collect()
    }

    fn suppressions_key(&self, prefix: &str, report: &mut ConfigReport) -> String {
        fill_in_prefix(&self.suppressions_key, prefix).unwrap_or_else(|error| {
            report.error("deletion.suppressions_key", error);
            String::new()
        })
    }

    /// The section with what was decided; `guarded`: older events cannot overwrite newer ones.
    pub(crate) fn effective(self, valid: &Deletion, guarded: bool) -> Self {
        let tombstone_ttl = guarded.then_some(LongSpan(valid.tombstone_ttl));
        Self { tombstone_ttl, ..self }
    }
}
