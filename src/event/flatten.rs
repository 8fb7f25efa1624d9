//! Flattening on the common path: straight from the streaming deserializer into reused buffers.
//!
//! JavaScript's order of members matters only where two of them end at one path. So every path, of
//! a leaf or of an object, is remembered, and one that occurs twice in the same traits object makes
//! this path give up, as does all else that needs a closer look. Whoever calls then starts over
//! with [`super::literal`].

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Limits;
use super::fields::Fields;
use super::js::{MAX_EXACT, push_json_number, push_number, push_quoted};

/// Deeper traits are left to the other path, whose recursion takes less stack.
const MAX_LEVEL: usize = 64;

/// Adds the fields of one traits object (raw, valid JSON text); `source` tells the objects of one
/// event apart. `path` is scratch space. An error means only that a closer look is needed; `fields`
/// is then in disorder.
pub(super) fn flatten(
    raw: &str,
    source: usize,
    limits: &Limits,
    path: &mut Vec<u8>,
    fields: &mut Fields,
) -> serde_json::Result<()> {
    path.clear();
    let max_level = limits.max_depth.min(MAX_LEVEL);
    let mut walk = Walk { path, fields, source, limits, max_level };
    let mut json = serde_json::Deserializer::from_str(raw);
    json.deserialize_map(Members { walk: &mut walk, level: 0 })?;
    if walk.fields.size() > limits.max_update { Err(closer_look()) } else { Ok(()) }
}

struct Walk<'f> {
    /// The path of the member being read; its length says where a nested object's own names begin.
    path: &'f mut Vec<u8>,
    fields: &'f mut Fields,
    source: usize,
    limits: &'f Limits,
    max_level: usize,
}

impl Walk<'_> {
    /// Enters the current path. `None`: it needs a closer look.
    fn enter(&mut self) -> Option<usize> {
        let usual = self.path.len() <= self.limits.max_field_name
            && self.fields.len() < self.limits.max_fields
            && self.fields.size() + self.path.len() <= self.limits.max_update
            && self.path.as_slice() != b"__proto__";
        if usual { self.fields.enter_once(self.path, self.source) } else { None }
    }
}

fn closer_look<E: Error>() -> E {
    E::custom("needs a closer look")
}

/// The members of an object that lies `level` levels down; yields whether there were any.
struct Members<'w, 'f> {
    walk: &'w mut Walk<'f>,
    level: usize,
}

impl<'de> Visitor<'de> for Members<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self { walk, level } = self;
        let parent = walk.path.len();
        let mut any = false;
        while map.next_key_seed(Name(walk.path))?.is_some() {
            any = true;
            let at = if level < walk.max_level { walk.enter() } else { None };
            let at = at.ok_or_else(closer_look)?;
            map.next_value_seed(Member { walk, level: level + 1, at })?;
            walk.path.truncate(parent);
        }
        Ok(any)
    }
}

/// Appends a member's name to the path. A parent whose path is empty counts as none, as in the
/// original.
struct Name<'w>(&'w mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
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

/// The value of the member at position `at`.
struct Member<'w, 'f> {
    walk: &'w mut Walk<'f>,
    level: usize,
    at: usize,
}

impl Member<'_, '_> {
    fn set<E>(self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), E> {
        self.walk.fields.set(self.at, write);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Member<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Member<'_, '_> {
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
        self.walk.fields.unset(self.at);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Self { walk, level, at } = self;
        if !(Members { walk: &mut *walk, level }.visit_map(map)?) {
            walk.fields.unset(at);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        let Self { walk, level, at } = self;
        let levels = walk.max_level.saturating_sub(level);
        let most = walk.limits.max_update;
        walk.fields.set(at, |out| Element { out, levels, most }.visit_seq(seq))
    }
}

/// A value inside an array, appended as `JSON.stringify` writes it. Objects need a closer look:
/// their members may have to be put in another order.
struct Element<'w> {
    out: &'w mut Vec<u8>,
    /// Levels that may still follow below this one.
    levels: usize,
    /// Bytes that `out` may hold; with more it needs a closer look.
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
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
            seq.next_element_seed(Element { out, levels: levels.saturating_sub(1), most })?
        {
            if levels == 0 || out.len() > most {
                return Err(closer_look());
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
