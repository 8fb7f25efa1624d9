//! What an event becomes where profiles are JSON documents, and what an event of RudderStack's
//! Profiles branch becomes.
//!
//! A document is printed as `JSON.stringify(JSON.parse(traits))` prints it, but for lone
//! surrogates, which RedisJSON refuses: they become U+FFFD. The limits mean the same as for a hash:
//! a *field* is a value that is no object, or an empty one; its *name* is its path, with dots; the
//! *update* is the text of the document and the paths of nulls that are kept.

mod entity;
mod null_path;
mod patch;
mod shown;
mod traits;

use self::entity::EntityEvent;
use self::patch::Patch;
pub(super) use self::shown::ShownDocument;
use super::envelope::Envelope;
use super::no_update::NoUpdate;
use super::time::event_time;
use super::{Action, Rules, SkipReason, Update};

/// The update of an event that is not flattened to the fields of a hash; `None`: it is. `key` is
/// the finished key of the user, and becomes that of the entity.
///
/// # Errors
/// `NoTraits`, `NoDocument`, and the limits.
pub(super) fn update(
    rules: &Rules,
    envelope: &Envelope<'_>,
    key: &mut Vec<u8>,
) -> Result<Option<Update>, NoUpdate> {
    if let Some(entities) = &rules.entities
        && let Some(event) = EntityEvent::read(envelope)
    {
        return Ok(Some(event.update(rules, entities, envelope, key)?));
    }
    let Some(documents) = rules.documents else { return Ok(None) };
    let limits = &rules.limits;
    let value = traits::of_document(envelope, documents.traits, limits)?;
    let patch = match value {
        Some(value) => Patch::of(&value, &[], documents, limits)?,
        None => Patch::default(),
    };
    if patch.changes_nothing() {
        return Err(SkipReason::NoTraits.into());
    }
    let action = match documents.replace {
        true => Action::ReplaceDocument,
        false => Action::MergeDocument { nulls: patch.null_count() },
    };
    Ok(Some(patch.into_update(key, event_time(envelope), limits)?.doing(action)))
}
