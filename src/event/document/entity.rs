//! Events of RudderStack's Profiles branch: `context.sources` names an entity, a type of id and a
//! model, and `traits` are what the model says of the entity with this `userId`.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::patch::Patch;
use super::traits::{starts, value_of};
use crate::event::entity_places::EntityPlaces;
use crate::event::envelope::Envelope;
use crate::event::js::{self, TooDeep, push_json};
use crate::event::json::{self, AnyName};
use crate::event::time::event_time;
use crate::event::user_id::{TextStyle, push_text};
use crate::event::{Action, DocumentRules, Limits, RejectReason, Rules, Update};
use crate::profile::Entities;

/// The names in an event's `context.sources`, as raw JSON.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct EntityEvent<'a> {
    entity: &'a str,
    id_type: &'a str,
    model: &'a str,
}

impl<'a> EntityEvent<'a> {
    /// `None`: one of the names is missing, or false to JavaScript, and so the event is like any
    /// other.
    pub(super) fn read(envelope: &Envelope<'a>) -> Option<Self> {
        let sources = envelope.sources?;
        let found = serde_json::Deserializer::from_str(sources).deserialize_map(SourcesVisitor);
        found
            .ok()
            .filter(|found| [found.entity, found.id_type, found.model].map(is_true) == [true; 3])
    }

    /// The update; `key` becomes that of the entity.
    ///
    /// # Errors
    /// `NoDocument`, and the limits.
    pub(super) fn update(
        &self,
        rules: &Rules,
        entities: &Entities,
        envelope: &Envelope<'_>,
        key: &mut Vec<u8>,
    ) -> Result<Update, RejectReason> {
        let traits = envelope.traits.filter(|raw| *raw != "null");
        let traits = traits.ok_or(RejectReason::NoDocument)?;
        let places = self.place(entities, envelope.user_id.unwrap_or_default(), key)?;
        let mut model = Vec::new();
        push_name(&mut model, self.model)?;
        let time = event_time(envelope);
        let update = match rules.documents {
            Some(documents) => {
                let patch = document(traits, &model, documents, &rules.limits)?;
                let action = Action::MergeDocument { nulls: patch.null_count() };
                patch.into_update(key, time, &rules.limits)?.doing(action)
            }
            None => {
                let text = field(traits, &model, &rules.limits)?;
                if key.len() > rules.limits.max_key {
                    return Err(RejectReason::KeyTooLong);
                }
                let field = std::iter::once((model.as_slice(), text.as_slice()));
                Update::pack(key, field, std::iter::empty(), time)
            }
        };
        Ok(update.of_entity(places))
    }

    /// Makes the key.
    fn place(
        &self,
        entities: &Entities,
        user_id: &str,
        key: &mut Vec<u8>,
    ) -> Result<EntityPlaces, RejectReason> {
        key.clear();
        key.extend_from_slice(entities.key_start().as_bytes());
        let entity = push_name(key, self.entity)?;
        key.push(b':');
        let id_type = push_name(key, self.id_type)?;
        key.push(b':');
        let user = push_name(key, user_id)?;
        Ok(EntityPlaces { entity, id_type, user })
    }
}

/// Appends the text of `raw`, and says where it stands.
///
/// # Errors
/// `NoDocument` where JavaScript fails, too.
fn push_name(out: &mut Vec<u8>, raw: &str) -> Result<Range<usize>, RejectReason> {
    let start = out.len();
    match push_text(out, raw, TextStyle::Template) {
        true => Ok(start..out.len()),
        false => Err(RejectReason::NoDocument),
    }
}

/// The text of the one field of the entity's hash.
fn field(traits: &str, model: &[u8], limits: &Limits) -> Result<Vec<u8>, RejectReason> {
    let value = js::parse(traits, limits.max_depth).map_err(|TooDeep| RejectReason::TooDeep)?;
    if model.len() > limits.max_field_name {
        return Err(RejectReason::FieldNameTooLong);
    }
    let mut text = Vec::new();
    push_json(&mut text, &value, limits.max_update);
    let size = model.len() + text.len();
    if size > limits.max_update { Err(RejectReason::TooLarge) } else { Ok(text) }
}

/// The patch of the entity's document. It is merged whatever the rules say of replacing: another
/// model writes beside it. Dots in the name of the model lead into objects.
fn document(
    traits: &str,
    model: &[u8],
    rules: DocumentRules,
    limits: &Limits,
) -> Result<Patch, RejectReason> {
    if !starts(traits, b"{[") {
        return Err(RejectReason::NoDocument);
    }
    let value = value_of(traits, limits)?;
    let path: Vec<&[u8]> = model.split(|byte| *byte == b'.').collect();
    Patch::of(&value, &path, DocumentRules { replace: false, ..rules }, limits)
}

/// Whether a value (raw, valid JSON text) is true to JavaScript.
fn is_true(raw: &str) -> bool {
    match json::first(raw) {
        b'"' => raw.len() > "\"\"".len(),
        b'{' | b'[' | b't' => true,
        b'n' | b'f' | 0 => false,
        _ => raw.parse::<f64>().is_ok_and(|number| number != 0.0),
    }
}

/// Visits `context.sources`.
struct SourcesVisitor;

impl<'de> Visitor<'de> for SourcesVisitor {
    type Value = EntityEvent<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sources of an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = EntityEvent::default();
        while let Some(name) = map.next_key_seed(AnyName)? {
            let slot = match &*name {
                b"profiles_entity" => &mut found.entity,
                b"profiles_id_type" => &mut found.id_type,
                b"profiles_model" => &mut found.model,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = map.next_value::<&RawValue>()?.get();
        }
        Ok(found)
    }
}
