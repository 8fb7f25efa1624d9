//! Reads the parts of an event that matter, as raw JSON text. Everything else is skipped, at any
//! depth.

use super::RejectReason;
use super::json;
use super::scan::Scanner;

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
        if let Some(envelope) = Self::scan(text, false) {
            return Ok(envelope);
        }
        let is_valid = json::is_valid(text);
        Err(if is_valid { RejectReason::NotAnObject } else { RejectReason::InvalidJson })
    }

    /// Reads an event that has no `batch`; `None`: it has one, or it is not a valid object.
    pub(super) fn read_bare(text: &'a str) -> Option<Self> {
        Self::scan(text, true)
    }

    /// `None`: it is not a valid object; or it is to be `bare`, and has a `batch`.
    fn scan(text: &'a str, bare: bool) -> Option<Self> {
        let mut envelope = Self::default();
        let mut scanner = Scanner::new(text);
        if scanner.peek() != b'{' {
            return None;
        }
        let mut more = scanner.open(b'}');
        while more {
            let name = scanner.name()?;
            if *name == *b"context" && scanner.peek() == b'{' {
                (envelope.context_traits, envelope.sources) = (None, None);
                let mut more = scanner.open(b'}');
                while more {
                    let name = scanner.name()?;
                    let value = Some(scanner.value()?);
                    match &*name {
                        b"traits" => envelope.context_traits = value,
                        b"sources" => envelope.sources = value,
                        _ => {}
                    }
                    more = scanner.more(b'}')?;
                }
            } else if bare && *name == *b"batch" {
                return None;
            } else {
                envelope.set(&name, scanner.value()?);
            }
            more = scanner.more(b'}')?;
        }
        scanner.is_end().then_some(envelope)
    }

    /// Takes a member of the event; its context is no object.
    #[inline(always)]
    fn set(&mut self, name: &[u8], value: &'a str) {
        let slot = match name {
            b"type" => &mut self.kind,
            b"userId" => &mut self.user_id,
            b"traits" => &mut self.traits,
            b"integrations" => &mut self.integrations,
            b"timestamp" => &mut self.timestamp,
            b"originalTimestamp" => &mut self.original_timestamp,
            b"sentAt" => &mut self.sent_at,
            b"receivedAt" => &mut self.received_at,
            b"context" => {
                (self.context_traits, self.sources) = (None, None);
                return;
            }
            b"specversion" => {
                self.is_cloud_event = true;
                return;
            }
            _ => return,
        };
        *slot = Some(value);
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
    fn what_may_be_a_batch_is_not_bare() {
        for text in [r#"{"batch":[]}"#, r#"{"type":1,"b\u0061tch":{}}"#, "[]", "{", "7"] {
            assert_eq!(Envelope::read_bare(text), None, "{text}");
        }
        for text in [r#"{"context":{"batch":[]},"traits":{"batch":1}}"#, "{}"] {
            assert_eq!(Envelope::read_bare(text), Envelope::read(text).ok(), "{text}");
        }
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
