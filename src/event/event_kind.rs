//! What an event's type asks for.

use super::envelope::Envelope;
use super::json;
use super::{Origin, Rules, SkipReason};
use crate::profile::KeyTemplate;

/// What is done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventKind<'r> {
    /// A user's traits are written.
    Identify,
    /// A group's traits are written, under such a key.
    Group(&'r KeyTemplate),
    /// A user is deleted.
    Deletion,
}

impl<'r> EventKind<'r> {
    /// What is done with the event in `text`, whose parts are in `envelope`. Comparing ASCII
    /// letters is enough for a type: no other character has the letters of these words as its lower
    /// case.
    pub(super) fn of(
        envelope: &Envelope<'_>,
        origin: Origin<'_>,
        rules: &'r Rules,
        text: &str,
    ) -> Result<Self, SkipReason> {
        let is = |wanted: &str| match (origin.path_type, envelope.kind) {
            (Some(kind), _) => kind.eq_ignore_ascii_case(wanted),
            (None, Some(raw)) if raw.starts_with('"') => {
                let (text, wanted) = (&raw.as_bytes()[1..raw.len() - 1], wanted.as_bytes());
                text.eq_ignore_ascii_case(wanted)
                    || (text.contains(&b'\\') && json::decoded(raw).eq_ignore_ascii_case(wanted))
            }
            (None, _) => false,
        };
        if is("identify") {
            return Ok(Self::Identify);
        }
        if origin.path_type.is_none() && matches!(envelope.kind, None | Some("null" | "\"\"")) {
            return Err(SkipReason::NoType);
        }
        match (&rules.keys.group, &rules.deletion_event) {
            (Some(template), _) if is("group") => Ok(Self::Group(template)),
            (_, Some(name)) if origin.may_delete && is("track") && is_named(text, name) => {
                Ok(Self::Deletion)
            }
            _ => Err(SkipReason::NotIdentify),
        }
    }

    /// The template of the event's key, and the raw id if there is one.
    pub(super) fn key<'a>(
        self,
        rules: &'r Rules,
        envelope: &Envelope<'a>,
        text: &'a str,
    ) -> (&'r KeyTemplate, Option<&'a str>) {
        match self {
            Self::Group(template) => (template, json::member_at(text, &["groupId"])),
            Self::Identify | Self::Deletion => (&rules.keys.user, envelope.user_id),
        }
    }

    /// Why an event with a blank id is skipped.
    pub(super) fn blank(self) -> SkipReason {
        match self {
            Self::Group(_) => SkipReason::BlankGroupId,
            Self::Identify | Self::Deletion => SkipReason::BlankUserId,
        }
    }
}

/// Whether the track event in `text` has exactly this name.
fn is_named(text: &str, name: &str) -> bool {
    json::member_at(text, &["event"])
        .is_some_and(|raw| raw.starts_with('"') && *json::decoded(raw) == *name.as_bytes())
}
