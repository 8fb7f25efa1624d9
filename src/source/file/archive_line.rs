//! Reading a line of RudderStack's archive of events:
//! `{"userId":..,"payload":..,"createdAt":..,"messageId":..}`. Pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The members by which a line of the archive is known. An event has a `type`, and no `payload`.
#[derive(Deserialize)]
struct Archived<'a> {
    #[serde(rename = "type")]
    event_type: Option<IgnoredAny>,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(rename = "createdAt")]
    _created_at: IgnoredAny,
    #[serde(rename = "messageId")]
    _message_id: IgnoredAny,
}

/// The payload of a line of the archive: an event or a batch of events, as an object or as JSON
/// text in a string. `None` when the line is something else.
pub(super) fn payload(line: &[u8]) -> Option<Cow<'_, [u8]>> {
    let archived: Archived<'_> = serde_json::from_slice(line).ok()?;
    if archived.event_type.is_some() {
        return None;
    }
    let raw = archived.payload.get();
    match raw.as_bytes() {
        [b'{', ..] => Some(Cow::Borrowed(raw.as_bytes())),
        [b'"', ..] => {
            let text: String = serde_json::from_str(raw).ok()?;
            text.trim_start().starts_with('{').then(|| Cow::Owned(text.into_bytes()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_an_object_or_text() {
        let event = br#"{"type":"identify","userId":"u"}"#;
        for line in [
            r#"{"payload":{"type":"identify","userId":"u"},"createdAt":"x","messageId":"m"}"#,
            concat!(
                r#"{"createdAt":"x","messageId":"m","userId":"u","#,
                r#""payload":"{\"type\":\"identify\",\"userId\":\"u\"}"}"#
            ),
        ] {
            assert_eq!(payload(line.as_bytes()).as_deref(), Some(&event[..]), "{line}");
        }
    }

    #[test]
    fn anything_else_is_no_line_of_the_archive() {
        for line in [
            r#"{"type":"track","payload":{},"createdAt":"x","messageId":"m"}"#,
            r#"{"userId":"u","payload":{},"messageId":"m"}"#,
            r#"{"userId":"u","payload":[],"createdAt":"x","messageId":"m"}"#,
            r#"{"userId":"u","payload":"text","createdAt":"x","messageId":"m"}"#,
            "{",
        ] {
            assert_eq!(payload(line.as_bytes()), None, "{line}");
        }
    }
}
