//! `[profile]`: how a profile changes.

mod entities;
mod field_ttl;
mod forms;
mod ttl;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::entities::RawEntities;
use self::field_ttl::RawFieldTtl;
use crate::config::engine::long_span::LongSpan;
use crate::config::engine::report::ConfigReport;
use crate::profile::{
    JsonNulls, JsonTraits, NewestWins, Nulls, Profile, ProfileMode, Store, TtlMode,
};

/// How a profile changes. The defaults are RudderStack's.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawProfile {
    /// What a trait does that is null. Not with JSON documents, which have `json_nulls`. Default:
    /// `skip`.
    #[schemars(example = &"skip")]
    nulls: Option<Nulls>,
    /// What an event leaves of the fields that it does not name.
    mode: ProfileMode,
    /// Expiry of the whole key, such as `30d`; 0s: none.
    ttl: LongSpan,
    /// Which writes set the TTL of the key. Default: `refresh`.
    #[schemars(example = &"refresh")]
    ttl_mode: Option<TtlMode>,
    /// Where an event says the TTL of its key, such as `context.ttl`: seconds, a duration, or a
    /// time in RFC 3339. Where it says none, `ttl` counts.
    #[schemars(example = &"context.ttl")]
    ttl_path: Option<String>,
    /// Whether an older event is kept from overwriting a newer one.
    newest_wins: NewestWins,
    /// With `newest_wins`: the fields of the guard itself begin with it, and an event that has such
    /// a trait is rejected. Default: `_ts`.
    #[schemars(extend("x-form" = "or_empty"), example = &Profile::TIME_FIELD)]
    time_field: Option<String>,
    /// With `newest_wins`: an event that claims to be later than its arrival by more counts as of
    /// its arrival; at most 30d. Default: 5m.
    #[schemars(example = &"5m")]
    max_ahead: Option<LongSpan>,
    /// The form in which profiles are kept.
    store: Store,
    /// With JSON documents: what a null in the traits does. Default: `delete`.
    #[schemars(example = &"delete")]
    json_nulls: Option<JsonNulls>,
    /// With JSON documents: which traits go into them. Default: `both`.
    #[schemars(example = &"both")]
    json_traits: Option<JsonTraits>,
    field_ttl: Vec<RawFieldTtl>,
    entities: Option<RawEntities>,
}

/// The longest `profile.max_ahead`.
const FURTHEST_AHEAD: LongSpan = LongSpan::days(30);

impl RawProfile {
    pub(crate) fn resolve(&self, report: &mut ConfigReport) -> Profile {
        let max_ahead = self.max_ahead.unwrap_or(LongSpan(Profile::MAX_AHEAD));
        if max_ahead > FURTHEST_AHEAD {
            report.error("profile.max_ahead", "must be at most 30d");
        }
        let time_field = self.time_field.clone().unwrap_or_else(|| Profile::TIME_FIELD.into());
        if time_field.is_empty() {
            report.error(
                "profile.time_field",
                "must not be empty: every trait would be one of the guard's own fields",
            );
        }
        let profile = Profile {
            nulls: self.nulls.unwrap_or_default(),
            mode: self.mode,
            ttl: ttl::of_key(self.ttl, report),
            ttl_mode: self.ttl_mode.unwrap_or_default(),
            ttl_path: ttl::path(self.ttl_path.as_deref(), report),
            newest_wins: self.newest_wins,
            time_field,
            max_ahead: max_ahead.0,
            store: self.store,
            json_nulls: self.json_nulls.unwrap_or_default(),
            json_traits: self.json_traits.unwrap_or_default(),
            field_ttl: field_ttl::resolve(&self.field_ttl, report),
            entities: self.entities.as_ref().and_then(|entities| entities.resolve(report)),
        };
        forms::check(&profile, report);
        profile
    }

    /// The section with what was decided, without keys that have no effect.
    pub(crate) fn effective(self, valid: &Profile) -> Self {
        let (json, guarded) = (valid.store == Store::Json, valid.is_guarded());
        let expires = valid.ttl.is_some() || valid.ttl_path.is_some();
        Self {
            nulls: (!json).then_some(valid.nulls),
            ttl_mode: expires.then_some(valid.ttl_mode),
            time_field: guarded.then(|| valid.time_field.clone()),
            max_ahead: guarded.then_some(LongSpan(valid.max_ahead)),
            json_nulls: json.then_some(valid.json_nulls),
            json_traits: json.then_some(valid.json_traits),
            entities: self.entities.filter(|_| valid.entities.is_some()),
            ..self
        }
    }
}
