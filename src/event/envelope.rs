//! Reads the parts of an event that matter, as raw JSON text. Everything else is skipped, at any
//! depth.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::RejectReason;
use super::json::{self, Names};

/// The raw JSON text of each part that is present; the last one of a repeated name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    pub(super) kind: Option<&'a str>,
    /// The event has a `specversion`, as CloudEvents do.
    pub(super) is_cloud_event: bool,
    pub(super) user_id: Option<&'a str>,
    pub(super) context_traits: Option<&'a str>,
    /// The `sources` of the context.
    pub(super) sources: Option<&'a str>,
    pub(super) traits: Option<&'a str>,
    pub(super) integrations: Option<&'a str>,
    pub(super) timestamp: Option<&'a str>,
    pub(super) original_timestamp: Option<&'a str>,
    pub(super) sent_at: Option<&'a str>,
    pub(super) received_at: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    /// Reads one event. Errors: `InvalidJson`, `NotAnObject`.
    pub(super) fn read(text: &'a str) -> Result<Self, RejectReason> {
        if let Ok(envelope) = Self::scan(text, Names::Usual) {
            return Ok(envelope);
        }
        if !json::is_valid(text) {
            return Err(RejectReason::InvalidJson);
        }
        Self::scan(text, Names::Any).map_err(|_| RejectReason::NotAnObject)
    }

    /// Reads and validates. With [`Names::Usual`], a context that is not an object is an error,
    /// too.
    fn scan(text: &'a str, names: Names) -> serde_json::Result<Self> {
        let mut envelope = Self::default();
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(EnvelopeVisitor { envelope: &mut envelope, names })?;
        json.end()?;
        Ok(envelope)
    }
}

/// Visits the members of an event.
struct EnvelopeVisitor<'e, 'a> {
    envelope: &'e mut Envelope<'a>,
    names: Names,
}

impl<'a> Visitor<'a> for EnvelopeVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let envelope = self.envelope;
        while let Some(name) = map.next_key_seed(self.names)? {
            let slot = match &*name {
                b"type" => &mut envelope.kind,
                b"userId" => &mut envelope.user_id,
                b"traits" => &mut envelope.traits,
                b"integrations" => &mut envelope.integrations,
                b"timestamp" => &mut envelope.timestamp,
                b"originalTimestamp" => &mut envelope.original_timestamp,
                b"sentAt" => &mut envelope.sent_at,
                b"receivedAt" => &mut envelope.received_at,
                b"specversion" => {
                    envelope.is_cloud_event = true;
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                b"context" => {
                    let context = map.next_value_seed(ContextVisitor(self.names))?;
                    (envelope.context_traits, envelope.sources) = context;
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = Some(map.next_value::<&RawValue>()?.get());
        }
        Ok(())
    }
}

/// Visits a context; yields its `traits` and its `sources`. To check first that the context is an
/// object would cost a second pass over it.
struct ContextVisitor(Names);

impl<'a> DeserializeSeed<'a> for ContextVisitor {
    type Value = (Option<&'a str>, Option<&'a str>);

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        if self.0 == Names::Usual {
            return json.deserialize_map(self);
        }
        let raw = <&RawValue>::deserialize(json)?.get();
        if json::first(raw) != b'{' {
            return Ok((None, None));
        }
        serde_json::Deserializer::from_str(raw).deserialize_map(self).map_err(D::Error::custom)
    }
}

impl<'a> Visitor<'a> for ContextVisitor {
    type Value = (Option<&'a str>, Option<&'a str>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a context")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut traits, mut sources) = (None, None);
        while let Some(name) = map.next_key_seed(self.0)? {
            let slot = match &*name {
                b"traits" => &mut traits,
                b"sources" => &mut sources,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = Some(map.next_value::<&RawValue>()?.get());
        }
        Ok((traits, sources))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_repeated_name_counts() {
        let envelope = Envelope::read(
            r#"{"type":1,"context":{"traits":{"a":1},"traits":2},"type":"x","context":{}}"#,
        )
        .unwrap();
        assert_eq!(envelope, Envelope { kind: Some("\"x\""), ..Envelope::default() });
        let envelope = Envelope::read(r#"{"context":{"traits":{"a":1},"traits":2}}"#).unwrap();
        assert_eq!(envelope.context_traits, Some("2"));
    }

    #[test]
    fn odd_names_and_contexts_do_not_hide_the_rest() {
        for odd in [
            r#""\ud800":1"#,
            r#""\u0001":1"#,
            r#""context":null"#,
            r#""context":"\ud800""#,
            r#""context":1e400"#,
            r#""context":[{"traits":{}}]"#,
            r#""context":{"\n":"\udc00"}"#,
        ] {
            let text = format!(r#"{{{odd},"tr\u0061its":7}}"#);
            assert_eq!(
                Envelope::read(&text),
                Ok(Envelope { traits: Some("7"), ..Envelope::default() }),
                "{odd}"
            );
        }
        let odd = r#"{"context":{"\n":0,"traits":{"a":1}}}"#;
        assert_eq!(Envelope::read(odd).unwrap().context_traits, Some(r#"{"a":1}"#));
    }

    #[test]
    fn a_raw_control_character_in_a_name_is_invalid() {
        assert_eq!(Envelope::read("{\"a\tb\":1}"), Err(RejectReason::InvalidJson));
        assert_eq!(Envelope::read("{\"context\":{\"a\tb\":1}}"), Err(RejectReason::InvalidJson));
    }

    #[test]
    fn unused_parts_may_be_of_any_depth() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let text =
            format!(r#"{{"properties":{deep},"context":{{"page":{deep}}},"userId":{deep}}}"#);
        assert_eq!(Envelope::read(&text).unwrap().user_id, Some(deep.as_str()));
    }

    #[test]
    fn valid_json_that_is_not_an_object_has_its_own_reason() {
        for text in ["null", "[]", "\"\\ud800\"", "1e400", " 7 "] {
            assert_eq!(Envelope::read(text), Err(RejectReason::NotAnObject), "{text}");
        }
        for text in ["", " ", "{", "[1,", "{}{}", "{} x", "{\"a\":01}"] {
            assert_eq!(Envelope::read(text), Err(RejectReason::InvalidJson), "{text}");
        }
    }
}
