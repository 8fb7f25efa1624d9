//! Flattens traits on the common path: from the streaming deserializer into reused buffers.
//!
//! JavaScript's order of members matters only when two members have the same path. So every path of
//! a leaf or an object is remembered, and a path that occurs twice in the same traits object is
//! left to [`super::literal`], as is everything else that is unusual: the caller then starts over
//! there.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Limits;
use super::field_map::FieldMap;
use super::js::{MAX_EXACT, push_json_number, push_number, push_quoted};

/// Deeper traits are left to the literal path, whose recursion takes less stack.
const MAX_LEVEL: usize = 64;

/// Adds the fields of one traits object (raw, valid JSON text). `source` is the number of the
/// traits object in its event; `path` is scratch space.
///
/// # Errors
/// The traits are unusual; `fields` is then incomplete and must be cleared.
pub(super) fn flatten(
    raw: &str,
    source: usize,
    limits: &Limits,
    path: &mut Vec<u8>,
    fields: &mut FieldMap,
) -> serde_json::Result<()> {
    path.clear();
    let max_level = limits.max_depth.min(MAX_LEVEL);
    let mut flattening = Flattening { path, fields, source, limits, max_level };
    let mut json = serde_json::Deserializer::from_str(raw);
    json.deserialize_map(ObjectVisitor { flattening: &mut flattening, level: 0 })?;
    if flattening.fields.size() > limits.max_update { Err(unusual()) } else { Ok(()) }
}

/// The state while one traits object is flattened.
struct Flattening<'f> {
    /// The path of the member that is being read; a nested object appends its names to it.
    path: &'f mut Vec<u8>,
    fields: &'f mut FieldMap,
    source: usize,
    limits: &'f Limits,
    max_level: usize,
}

impl Flattening<'_> {
    /// The position of the current path in the map; `None` when the path is unusual.
    fn enter(&mut self) -> Option<usize> {
        let usual = self.path.len() <= self.limits.max_field_name
            && self.fields.len() < self.limits.max_fields
            && self.fields.size() + self.path.len() <= self.limits.max_update
            && self.path.as_slice() != b"__proto__";
        if usual { self.fields.enter_once(self.path, self.source) } else { None }
    }
}

fn unusual<E: Error>() -> E {
    E::custom("the traits are unusual")
}

/// Visits the members of an object at `level`; yields whether there were any.
struct ObjectVisitor<'w, 'f> {
    flattening: &'w mut Flattening<'f>,
    level: usize,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self { flattening, level } = self;
        let parent = flattening.path.len();
        let mut any = false;
        while map.next_key_seed(NameVisitor(flattening.path))?.is_some() {
            any = true;
            let at = if level < flattening.max_level { flattening.enter() } else { None };
            let at = at.ok_or_else(unusual)?;
            map.next_value_seed(ValueVisitor { flattening, level: level + 1, at })?;
            flattening.path.truncate(parent);
        }
        Ok(any)
    }
}

/// Appends a member's name to the path. As in the original, no dot follows an empty path.
struct NameVisitor<'w>(&'w mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for NameVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for NameVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        if !self.0.is_empty() {
            self.0.push(b'.');
        }
        self.0.extend_from_slice(name.as_bytes());
        Ok(())
    }
}

/// Visits the value of the path at position `at`.
struct ValueVisitor<'w, 'f> {
    flattening: &'w mut Flattening<'f>,
    level: usize,
    at: usize,
}

impl ValueVisitor<'_, '_> {
    fn set<E>(self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), E> {
        self.flattening.fields.set(self.at, write);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for ValueVisitor<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.set(|out| out.extend_from_slice(text.as_bytes()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.set(|out| push_bool(out, value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.set(|out| push_unsigned(out, value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.set(|out| push_signed(out, value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.set(|out| push_number(out, value))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.flattening.fields.set_null(self.at);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Self { flattening, level, at } = self;
        if !(ObjectVisitor { flattening: &mut *flattening, level }.visit_map(map)?) {
            flattening.fields.unset(at);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        let Self { flattening, level, at } = self;
        let levels = flattening.max_level.saturating_sub(level);
        let most = flattening.limits.max_update;
        flattening.fields.set(at, |out| ElementVisitor { out, levels, most }.visit_seq(seq))
    }
}

/// Visits a value inside an array; appends it as `JSON.stringify` writes it. Objects are unusual,
/// because their members may need another order.
struct ElementVisitor<'w> {
    out: &'w mut Vec<u8>,
    /// How many levels may follow below this one.
    levels: usize,
    /// Bytes that `out` may hold; more are unusual.
    most: usize,
}

impl<'de> DeserializeSeed<'de> for ElementVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ElementVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        push_quoted(self.out, text.as_bytes());
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        push_bool(self.out, value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        push_unsigned(self.out, value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        push_signed(self.out, value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        push_json_number(self.out, value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { out, levels, most } = self;
        let open = out.len();
        out.push(b'[');
        while let Some(()) =
            seq.next_element_seed(ElementVisitor { out, levels: levels.saturating_sub(1), most })?
        {
            if levels == 0 || out.len() > most {
                return Err(unusual());
            }
            out.push(b',');
        }
        if out.len() > open + 1 {
            out.pop();
        }
        out.push(b']');
        Ok(())
    }
}

fn push_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn push_unsigned(out: &mut Vec<u8>, value: u64) {
    if value <= MAX_EXACT {
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    } else {
        push_number(out, value as f64);
    }
}

fn push_signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_unsigned(out, value.unsigned_abs());
}
