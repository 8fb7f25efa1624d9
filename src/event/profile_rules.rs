//! The rules of a profile: how its fields change, and when it ends. The default is no rule at all:
//! traits are merged, the last write wins, and nothing ends.

use std::time::Duration;

use super::{Action, RejectReason};
use crate::profile::{FieldTtl, Nulls, Profile, ProfileMode};

/// What `[profile]` says about events.
#[derive(Debug, Clone, Default)]
pub struct ProfileRules {
    /// A trait that is null removes its field; else it changes nothing.
    pub nulls_delete: bool,
    /// The traits become all that the key holds; else they are merged into it.
    pub replace: bool,
    /// How it is told which event is newer; `None`: the last write wins.
    pub guard: Option<GuardRules>,
    /// Milliseconds after which a key ends; `None`: it has no end.
    pub ttl: Option<u64>,
    /// The names that lead from an event to the member that says when its key ends.
    pub ttl_path: Option<Vec<String>>,
    /// When fields end; the first rule that matches counts.
    pub field_ttl: Vec<FieldTtl>,
}

/// The rules by which an older event never overwrites a newer one.
#[derive(Debug, Clone)]
pub struct GuardRules {
    /// The guard's own fields begin with it; never empty.
    pub time_field: String,
    /// Milliseconds by which a clock may be ahead of ours.
    pub max_ahead: i64,
}

impl ProfileRules {
    /// What `profile` says about events.
    pub fn of(profile: &Profile) -> Self {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self {
            nulls_delete: profile.nulls == Nulls::Delete,
            replace: profile.mode == ProfileMode::Replace,
            guard: profile.is_guarded().then(|| GuardRules {
                time_field: profile.time_field.clone(),
                max_ahead: ms(profile.max_ahead).try_into().unwrap_or(i64::MAX),
            }),
            ttl: profile.ttl.map(ms),
            ttl_path: profile.ttl_path.clone(),
            field_ttl: profile.field_ttl.clone(),
        }
    }

    /// Whether the time on our clock matters to what becomes of an event.
    pub fn needs_clock(&self) -> bool {
        self.guard.is_some() || self.ttl_path.is_some()
    }

    /// Whether a trait that is null matters. Where the traits become all that a key holds, it does
    /// not.
    pub(super) fn keeps_nulls(&self) -> bool {
        self.nulls_delete && !self.replace
    }

    /// What is done with a key.
    pub(super) fn action(&self) -> Action {
        if self.replace { Action::Replace } else { Action::Merge }
    }

    /// Rejects fields that would stand among the guard's own: `ReservedField`.
    pub(super) fn check_names<'a>(
        &self,
        mut names: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), RejectReason> {
        let Some(guard) = &self.guard else { return Ok(()) };
        if names.any(|name| name.starts_with(guard.time_field.as_bytes())) {
            return Err(RejectReason::ReservedField);
        }
        Ok(())
    }
}
