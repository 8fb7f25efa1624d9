//! Flattens traits step by step as the JavaScript original does, for events that are unusual for
//! [`super::flatten`]. Takes time linear in the length of the text. Only this file rejects an event
//! for its depth, number of fields, length of a name or size of the update.

use super::envelope::Envelope;
use super::field_map::FieldMap;
use super::js::{self, TooDeep, Value, lossy, push_json, push_number};
use super::{Limits, RejectReason, json};

/// Fills the empty `fields` with the fields of one event.
///
/// # Errors
/// `TooDeep`, `FieldNameTooLong`, `TooManyFields`, and after these `TooLarge` for an update beyond
/// `max_update`.
pub(super) fn flatten(
    envelope: &Envelope<'_>,
    limits: &Limits,
    fields: &mut FieldMap,
) -> Result<(), RejectReason> {
    let mut flattening = LiteralFlattening {
        limits,
        fields,
        path: Vec::new(),
        value: Vec::new(),
        source: 0,
        bare: [false; 2],
        surrogates: false,
    };
    for (source, raw) in [envelope.context_traits, envelope.traits].into_iter().enumerate() {
        let Some(raw) = raw.filter(|raw| json::first(raw) == b'{') else { continue };
        flattening.source = source;
        match js::parse(raw, limits.max_depth) {
            Ok(Value::Object(members)) => flattening.step(&members)?,
            Ok(_) => {}
            Err(TooDeep) => return Err(RejectReason::TooDeep),
        }
    }
    if flattening.surrogates {
        merge_replaced(fields);
    }
    let update: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
        + fields.null_names().map(<[u8]>::len).sum::<usize>();
    if update > limits.max_update { Err(RejectReason::TooLarge) } else { Ok(()) }
}

/// The state while one event is flattened.
struct LiteralFlattening<'f> {
    limits: &'f Limits,
    fields: &'f mut FieldMap,
    /// The path of the member that is being read, in WTF-8.
    path: Vec<u8>,
    /// The text of the value that is being made.
    value: Vec<u8>,
    source: usize,
    /// For each source: true when the object in which the original collects the fields has no
    /// prototype any more.
    bare: [bool; 2],
    /// True when some name holds a lone surrogate.
    surrogates: bool,
}

impl LiteralFlattening<'_> {
    fn step(&mut self, members: &[js::ObjectMember<'_>]) -> Result<(), RejectReason> {
        for (name, value) in members {
            let parent = self.path.len();
            if parent > 0 {
                self.path.push(b'.');
            }
            self.path.extend_from_slice(name);
            match value {
                Value::Object(inner) if !inner.is_empty() => self.step(inner)?,
                leaf => self.leaf(leaf)?,
            }
            self.path.truncate(parent);
        }
        Ok(())
    }

    fn leaf(&mut self, value: &Value<'_>) -> Result<(), RejectReason> {
        if self.path.len() > self.limits.max_field_name {
            return Err(RejectReason::FieldNameTooLong);
        }
        if self.path == b"__proto__" && self.sets_prototype(value) {
            return Ok(());
        }
        let removes = matches!(value, Value::Null) && self.fields.keeps_nulls();
        if matches!(value, Value::Null | Value::Object(_)) && !removes {
            // A path without a value is not remembered, so that nulls take no memory.
            if let Some(at) = self.fields.find(&self.path) {
                self.fields.unset(at);
            }
            return Ok(());
        }
        let at = self.fields.enter(&self.path, self.source);
        let most = self.most_bytes();
        if removes {
            self.fields.set_null(at);
        } else {
            self.value.clear();
            push_value(&mut self.value, value, most.saturating_sub(self.fields.size()));
            self.fields.set(at, &self.value);
        }
        self.surrogates |= std::str::from_utf8(&self.path).is_err();
        if self.fields.live() + self.fields.nulls() > self.limits.max_fields {
            return Err(RejectReason::TooManyFields);
        }
        if self.fields.size() > most { Err(RejectReason::TooLarge) } else { Ok(()) }
    }

    /// Bytes that the buffers may hold meanwhile. The limit is for the size at the end, but values
    /// that are overwritten or removed stay in the buffers until then: at most `max_event` bytes
    /// more.
    fn most_bytes(&self) -> usize {
        self.limits.max_update.saturating_add(self.limits.max_event)
    }

    /// True when `value` sets the prototype. In JavaScript, assigning to `__proto__` sets an
    /// object's prototype and makes no field. But null removes the prototype, and then `__proto__`
    /// is a name like any other. The second source is assigned to the object of the first.
    fn sets_prototype(&mut self, value: &Value<'_>) -> bool {
        if !self.bare[self.source] {
            self.bare[self.source] = *value == Value::Null;
            return true;
        }
        !self.bare[0]
    }
}

/// Appends the text of a value. An array is left incomplete once `out` holds more than `most`
/// bytes.
fn push_value(out: &mut Vec<u8>, value: &Value<'_>, most: usize) {
    match value {
        Value::String(wtf8) => out.extend_from_slice(lossy(wtf8).as_bytes()),
        Value::Number(number) => push_number(out, *number),
        other => push_json(out, other, most),
    }
}

/// Names that differ only in lone surrogates become one name; the later one wins.
fn merge_replaced(fields: &mut FieldMap) {
    *fields = fields.renamed(|name| lossy(name).as_bytes().to_vec());
}
