//! Finds an event in a wrapper, as producers other than SDKs send it: `{"message":event}`,
//! `{"schema":..,"payload":event}` of Kafka Connect, and a CloudEvent, whose event is `data`. The
//! event may also be JSON text in a string.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, AnyName};

/// Bytes of the longest spelling of one byte in a JSON string: `\u0061`.
const LONGEST_ESCAPE: usize = 6;

/// Names of members that show how an event is wrapped. Only these are logged: other names may be
/// personal data.
const KNOWN: [&str; 11] = [
    "schema",
    "payload",
    "specversion",
    "data",
    "message",
    "event",
    "value",
    "before",
    "after",
    "record",
    "records",
];

/// The text of the event that `text` wraps; `None` when `text` is not a wrapper. An object with a
/// `type` is not a wrapper, unless `specversion` marks it as a CloudEvent. A string that must be
/// longer than `max_event` bytes once it is unescaped counts as no event.
pub(super) fn unwrapped(text: &str, max_event: usize) -> Option<Cow<'_, [u8]>> {
    let raw = WrapperMembers::read(text)?.event()?;
    if raw.starts_with('{') {
        return Some(Cow::Borrowed(raw.as_bytes()));
    }
    let longest = max_event.saturating_mul(LONGEST_ESCAPE).saturating_add(2);
    if !raw.starts_with('"') || raw.len() > longest {
        return None;
    }
    let text = json::decoded(raw);
    (json::peek(json::without_bom(&text), &mut 0) == b'{').then_some(text)
}

/// The names of those members of `text` that may show how it is wrapped, from a closed list. `None`
/// when `text` is not an object or has a `type`: then there is nothing to explain.
pub fn untyped(text: &[u8]) -> Option<Vec<&'static str>> {
    let members = WrapperMembers::read(std::str::from_utf8(json::without_bom(text)).ok()?)?;
    let is_untyped = matches!(members.kind, None | Some("null" | "\"\""));
    is_untyped.then(|| {
        KNOWN.iter().zip(members.known).filter(|(_, seen)| *seen).map(|(name, _)| *name).collect()
    })
}

/// The members that distinguish a wrapper from an event.
#[derive(Default)]
struct WrapperMembers<'a> {
    kind: Option<&'a str>,
    message: Option<&'a str>,
    payload: Option<&'a str>,
    data: Option<&'a str>,
    /// Which of [`KNOWN`] are there.
    known: [bool; KNOWN.len()],
}

impl<'a> WrapperMembers<'a> {
    /// `None` when `text` is not a valid object.
    fn read(text: &'a str) -> Option<Self> {
        let mut json = serde_json::Deserializer::from_str(text);
        let members = json.deserialize_map(Self::default()).ok()?;
        json.end().ok()?;
        Some(members)
    }

    fn has(&self, name: &str) -> bool {
        KNOWN.iter().zip(self.known).any(|(known, seen)| seen && *known == name)
    }

    /// The raw JSON text of the member that holds the event.
    fn event(&self) -> Option<&'a str> {
        if self.has("specversion") {
            return self.data;
        }
        if self.kind.is_some() {
            return None;
        }
        if self.has("schema") && self.payload.is_some() { self.payload } else { self.message }
    }
}

impl<'a> Visitor<'a> for WrapperMembers<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(name) = map.next_key_seed(AnyName)? {
            if let Some(at) = KNOWN.iter().position(|known| known.as_bytes() == &*name) {
                self.known[at] = true;
            }
            let slot = match &*name {
                b"type" => &mut self.kind,
                b"message" => &mut self.message,
                b"payload" => &mut self.payload,
                b"data" => &mut self.data,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = Some(map.next_value::<&RawValue>()?.get());
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(text: &str) -> Option<String> {
        unwrapped(text, 100).map(|event| String::from_utf8(event.into_owned()).unwrap())
    }

    #[test]
    fn wrappers_are_known_by_their_members() {
        for text in [
            r#"{"message":{"a":1}}"#,
            r#" { "userId":"u", "message" : {"a":1} , "topic":"t" } "#,
            r#"{"\ud800":1,"message":{"a":1}}"#,
            r#"{"message":"{\"a\":1}"}"#,
            r#"{"m\u0065ssage":"\u007b\"a\":1\u007d"}"#,
            r#"{"schema":{"type":"struct"},"payload":{"a":1}}"#,
            r#"{"payload":{"a":1},"schema":null,"message":5}"#,
            r#"{"schema":{"type":"string"},"payload":"{\"a\":1}"}"#,
            r#"{"specversion":"1.0","type":"com.example.identify","data":{"a":1}}"#,
            r#"{"data":"{\"a\":1}","specversion":"1.0","id":"1","message":{}}"#,
        ] {
            assert_eq!(inner(text).as_deref(), Some(r#"{"a":1}"#), "{text}");
        }
        assert_eq!(inner("{\"message\":\"\\ufeff {}\"}").as_deref(), Some("\u{feff} {}"));
        let lone = unwrapped(r#"{"message":"{\ud800}"}"#, 100).unwrap();
        assert!(std::str::from_utf8(&lone).is_err());
    }

    #[test]
    fn anything_else_is_no_wrapper() {
        for text in [
            r#"{"type":"identify"}"#,
            r#"{"type":"identify","message":{"a":1}}"#,
            r#"{"message":{"a":1},"type":null}"#,
            r#"{"type":"x","schema":1,"payload":{"a":1}}"#,
            r#"{"message":"text"}"#,
            r#"{"message":"[{}]"}"#,
            r#"{"message":[{}]}"#,
            r#"{"message":null}"#,
            r#"{"payload":{"a":1}}"#,
            r#"{"schema":{"a":1},"payload":null}"#,
            r#"{"specversion":"1.0","type":"identify"}"#,
            r#"{"specversion":"1.0","message":{"a":1}}"#,
            r#"{"data":{"a":1}}"#,
            r#"{"message":{"a":NaN}}"#,
            r#"{"message":{}"#,
            r#"[{"message":{}}]"#,
            "7",
            "",
        ] {
            assert_eq!(inner(text), None, "{text}");
        }
    }

    #[test]
    fn text_that_cannot_fit_is_not_unescaped() {
        let wrapped = |length: usize| format!(r#"{{"message":"{{{}"}}"#, "x".repeat(length));
        assert!(unwrapped(&wrapped(59), 10).is_some());
        assert!(unwrapped(&wrapped(60), 10).is_none());
    }

    #[test]
    fn only_names_of_the_list_are_returned() {
        assert_eq!(
            untyped(br#"{"payload":{},"email":"a@b.c","schema":1,"schema":2}"#),
            Some(vec!["schema", "payload"])
        );
        assert_eq!(untyped("\u{feff}{\"type\":\"\",\"value\":1}".as_bytes()), Some(vec!["value"]));
        assert_eq!(untyped(br#"{"userId":"u","type":null}"#), Some(vec![]));
        for text in [r#"{"type":"track","payload":{}}"#, r#"{"type":7}"#, "[]", "{", "\u{feff}"] {
            assert_eq!(untyped(text.as_bytes()), None, "{text}");
        }
    }
}
