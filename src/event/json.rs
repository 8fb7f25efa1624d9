//! Reads pieces of JSON text. All functions but [`without_bom`], [`is_valid`] and [`end_of_string`]
//! need text that is known to be valid.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text without a leading byte order mark.
pub(super) fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

/// True when `text` is one JSON document, of any depth.
pub(super) fn is_valid(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The first byte of `text` that is not white space; 0 at the end.
pub(super) fn first(text: &str) -> u8 {
    peek(text.as_bytes(), &mut 0)
}

/// Moves `at` to the next byte that is not white space and returns it; 0 at the end.
pub(super) fn peek(text: &[u8], at: &mut usize) -> u8 {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(*at) {
        *at += 1;
    }
    text.get(*at).copied().unwrap_or(0)
}

/// The quoted string at `at`, with its quotes; moves `at` past it.
pub(super) fn string<'a>(text: &'a str, at: &mut usize) -> &'a str {
    let start = *at;
    *at = end_of_string(text.as_bytes(), start).unwrap_or(text.len());
    &text[start..*at]
}

/// The position after the closing quote of the string that opens at `start`. The bytes need not be
/// UTF-8.
pub(super) fn end_of_string(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The raw text of the member to which the names of `path` lead from the object `text`; the last
/// one of a repeated name counts. `None`: there is none. Reads `text` once for each name.
pub(super) fn member_at<'a>(text: &'a str, path: &[impl AsRef<str>]) -> Option<&'a str> {
    path.iter().try_fold(text, |text, name| {
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(Member(name.as_ref())).ok().flatten()
    })
}

/// Visits an object; yields its member of this name.
struct Member<'n>(&'n str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key_seed(AnyName)? {
            if *name == *self.0.as_bytes() {
                found = Some(map.next_value::<&RawValue>()?.get());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The number, `true`, `false` or `null` at `at`; moves `at` past it.
pub(super) fn scalar<'a>(text: &'a str, at: &mut usize) -> &'a str {
    let rest = &text[*at..];
    let end = rest
        .bytes()
        .position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
        .unwrap_or(rest.len());
    *at += end;
    &rest[..end]
}

/// The content of a quoted string, as WTF-8.
pub(super) fn decoded(quoted: &str) -> Cow<'_, [u8]> {
    let inner = &quoted.as_bytes()[1..quoted.len() - 1];
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut json = serde_json::Deserializer::from_str(quoted);
    Cow::Owned(json.deserialize_bytes(Wtf8).unwrap_or_default())
}

/// Visits a string; yields its WTF-8.
struct Wtf8;

impl Visitor<'_> for Wtf8 {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }
}

/// How the name of a member is read, also with lone surrogates: as WTF-8.
pub(super) struct AnyName;

impl<'de> DeserializeSeed<'de> for AnyName {
    type Value = Cow<'de, [u8]>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        <&RawValue>::deserialize(json).map(|raw| decoded(raw.get()))
    }
}
