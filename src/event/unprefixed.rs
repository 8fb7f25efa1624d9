//! Takes the prefix that an event says out of the event.

use std::borrow::Cow;

use super::without::without;
use super::wrapper::unwrapped;
use super::{Origin, js, json, trim_js};

/// An event without the prefix that it says.
pub(super) struct Unprefixed<'a> {
    /// The prefix, trimmed; `None`: what was found is no text.
    pub(super) prefix: Option<Cow<'a, str>>,
    pub(super) text: Cow<'a, str>,
}

impl<'a> Unprefixed<'a> {
    /// Reads `text`, a valid object. An event that says nothing at `path`, or null, has the
    /// `default`.
    pub(super) fn read(text: &'a str, path: &[String], default: &'a str) -> Self {
        match json::member_at(text, path) {
            None | Some("null") => Self { prefix: Some(default.into()), text: text.into() },
            Some(raw) => {
                let is_text = raw.starts_with('"');
                let prefix = is_text.then(|| trimmed(js::lossy(&json::decoded(raw))));
                Self { prefix, text: without(text, path).into() }
            }
        }
    }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(trim_js(&text).to_owned())
}

/// The prefix of `event`, as far as that can be known: the event may be in a wrapper, of at most
/// `max_event` bytes, or unreadable.
pub fn prefix_of<'a>(origin: Origin<'a>, event: &[u8], max_event: usize) -> Cow<'a, str> {
    let default = Cow::Borrowed(origin.prefix.default_text());
    let Some(path) = origin.prefix.path().filter(|_| !origin.is_tombstone) else { return default };
    let said = |event: &[u8]| {
        let text = std::str::from_utf8(json::without_bom(event)).ok()?;
        let raw = json::member_at(text, path)
            .filter(|raw| json::is_valid(text) && raw.starts_with('"'))?;
        Some(trimmed(js::lossy(&json::decoded(raw))))
    };
    let inner = || unwrapped(std::str::from_utf8(json::without_bom(event)).ok()?, max_event);
    let said_inside = || said(&inner().filter(|_| origin.wrapped)?);
    said(event).or_else(said_inside).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Prefix;

    #[test]
    fn the_prefix_of_an_event_that_cannot_be_used() {
        let prefix = Prefix::again("def", Some("traits.tenant"));
        let origin = Origin { prefix: &prefix, wrapped: true, ..Origin::default() };
        for (event, said) in [
            (r#"{"traits":{"tenant":" t1 "}}"#, "t1"),
            ("\u{feff}{\"traits\":{\"tenant\":\"t1\"}}", "t1"),
            (r#"{"message":{"traits":{"tenant":"t1"}}}"#, "t1"),
            (r#"{"traits":{"tenant":7}}"#, "def"),
            (r#"{"traits":{"tenant":null}}"#, "def"),
            (r#"{"traits":{"tenant":"t1"}"#, "def"),
            (r#"{"traits":{"tenant":"t1"}} x"#, "def"),
            ("", "def"),
        ] {
            assert_eq!(prefix_of(origin, event.as_bytes(), 1000), said, "{event}");
        }
        let bare = Origin { wrapped: false, ..origin };
        let event = br#"{"message":{"traits":{"tenant":"t1"}}}"#;
        assert_eq!(prefix_of(bare, event, 1000), "def");
        let tombstone = Origin { is_tombstone: true, ..origin };
        assert_eq!(prefix_of(tombstone, br#"{"traits":{"tenant":"t1"}}"#, 1000), "def");
    }
}
