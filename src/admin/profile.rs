//! `/api/profile`: the stored profile of one user, for an operator who has the token.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::problem::AdminProblem;
use super::token::TokenFile;
use crate::config::Config;
use crate::event::trim_js;
use crate::profile::KeyTemplate;
use crate::redis::{ProfileContent, Route, StoredProfile};

/// Look-ups at a time.
const MOST: usize = 4;

/// Looks up profiles where the worker writes them.
pub struct ProfileLookup {
    token: TokenFile,
    route: Route,
    /// The keys of users.
    template: KeyTemplate,
    /// `redis.prefix`.
    prefix: String,
    /// The time for one look-up, connecting included.
    limit: Duration,
    running: Semaphore,
}

impl ProfileLookup {
    /// `None`: `admin.profile_lookup` is off.
    pub fn new(config: &Config, route: Route) -> Option<Self> {
        let path = config.admin.token_file.clone().filter(|_| config.admin.profile_lookup)?;
        Some(Self {
            token: TokenFile::new(path),
            route,
            template: config.rules.keys.user.clone(),
            prefix: config.redis.prefix.clone(),
            limit: config.redis.connect_timeout + config.redis.response_timeout,
            running: Semaphore::new(MOST),
        })
    }

    async fn answer(
        &self,
        headers: &HeaderMap,
        query: &str,
    ) -> Result<StoredUnderKey, AdminProblem> {
        self.token.check(headers).await?;
        let key = self.key(query).ok_or(AdminProblem::MissingUserId)?;
        let _permit = self.running.try_acquire().map_err(|_| AdminProblem::Busy)?;
        let mut profile = timeout(self.limit, self.route.read(&key))
            .await
            .map_err(|_| AdminProblem::Late(self.limit.as_millis()))?
            .map_err(AdminProblem::Unread)?
            .ok_or(AdminProblem::NoSuchKey)?;
        if let ProfileContent::Fields(fields) = &mut profile.content {
            fields.sort();
        }
        Ok(StoredUnderKey { key, profile })
    }

    /// The Redis key that `query` asks for; `None`: it names no user, or several.
    fn key(&self, query: &str) -> Option<Vec<u8>> {
        let one = |wanted: &str| {
            let mut found = form_urlencoded::parse(query.as_bytes())
                .filter_map(|(name, value)| (name == wanted).then_some(value));
            (found.next(), found.next().is_some())
        };
        let (Some(user_id), false) = one("user_id") else { return None };
        let (prefix, false) = one("prefix") else { return None };
        if trim_js(&user_id).is_empty() {
            return None;
        }
        let prefix = prefix.as_deref().map_or(self.prefix.as_str(), trim_js);
        let mut key = Vec::new();
        self.template.push(&mut key, prefix, user_id.as_bytes());
        Some(key)
    }
}

/// The route. Without a `lookup` it answers 404.
pub(super) fn routes(lookup: Option<ProfileLookup>) -> Router {
    Router::new().route("/api/profile", get(profile)).with_state(Arc::new(lookup))
}

async fn profile(
    State(lookup): State<Arc<Option<ProfileLookup>>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, AdminProblem> {
    let lookup = lookup.as_ref().as_ref().ok_or(AdminProblem::LookupOff)?;
    let found = lookup.answer(&headers, query.as_deref().unwrap_or_default()).await?;
    let body = serde_json::to_string(&found.shown()).expect("texts are valid JSON");
    Ok(([(header::CONTENT_TYPE, "application/json")], body))
}

/// A profile, its fields sorted by name, and its key.
struct StoredUnderKey {
    key: Vec<u8>,
    profile: StoredProfile,
}

/// The body of the answer. JSON holds Unicode only: other bytes are shown as U+FFFD.
#[derive(Serialize)]
struct ShownProfile<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<ShownFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a RawValue>,
    ttl_seconds: Option<u64>,
}

/// Fields as a JSON object.
struct ShownFields<'a>(&'a [(Vec<u8>, Vec<u8>)]);

impl StoredUnderKey {
    fn shown(&self) -> ShownProfile<'_> {
        let (fields, document) = match &self.profile.content {
            ProfileContent::Fields(fields) => (Some(ShownFields(fields)), None),
            ProfileContent::Document(text) => (None, serde_json::from_str(text).ok()),
        };
        ShownProfile {
            key: String::from_utf8_lossy(&self.key).into_owned(),
            fields,
            document,
            ttl_seconds: self.profile.ttl,
        }
    }
}

impl Serialize for ShownFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = String::from_utf8_lossy;
        serializer.collect_map(self.0.iter().map(|(name, value)| (text(name), text(value))))
    }
}
