//! Finding the events of a Kafka message: producers send a bare event, a list of them, a batch, or an event in a wrapper.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, Names};
use super::split;

static BATCH: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\"batch\""));
static MESSAGE: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\"message\""));

/// Puts the events of a Kafka message's value into `events`, as ranges of its bytes, in order; none: there is nothing to do.
///
/// An event, `[event, ..]`, `{"batch":[event, ..]}`, and in the place of each event also `{"message":event}`, if that object has
/// no `type` of its own. Anything else is one event as it is: the transform says what is wrong with it. A bad element of a list
/// does not cost the others. The names that tell the shapes apart are found only where they are spelled without escapes.
pub fn events_of(value: &[u8], events: &mut Vec<Range<usize>>) {
    events.clear();
    if value.is_empty() {
        return;
    }
    let text = json::without_bom(value);
    let offset = value.len() - text.len();
    let list = match json::peek(text, &mut 0) {
        b'[' => split::list(text),
        b'{' if BATCH.find(text).is_some() => split::batch(text).ok().flatten(),
        _ => None,
    };
    let event = |within: Range<usize>| {
        let inner = unwrapped(&text[within.clone()]);
        let start = within.start + offset;
        inner.map_or(start..within.end + offset, |inner| start + inner.start..start + inner.end)
    };
    match list {
        Some(elements) => events.extend(elements.into_iter().map(event)),
        None => events.push(event(0..text.len())),
    }
}

/// Where the event stands in a text that wraps one.
fn unwrapped(text: &[u8]) -> Option<Range<usize>> {
    if json::peek(text, &mut 0) != b'{' || MESSAGE.find(text).is_none() {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let mut json = serde_json::Deserializer::from_str(text);
    let wrapper = json.deserialize_map(Wrapper::default()).ok()?;
    json.end().ok()?;
    let message = wrapper.message.filter(|message| !wrapper.has_type && message.starts_with('{'))?;
    let start = message.as_ptr().addr() - text.as_ptr().addr();
    Some(start..start + message.len())
}

/// What tells a wrapper from an event.
#[derive(Default)]
struct Wrapper<'a> {
    has_type: bool,
    message: Option<&'a str>,
}

impl<'a> Visitor<'a> for Wrapper<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(name) = map.next_key_seed(Names::Any)? {
            match &*name {
                b"message" => self.message = Some(map.next_value::<&RawValue>()?.get()),
                b"type" => {
                    self.has_type = true;
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn events(value: &[u8]) -> Vec<&[u8]> {
        let mut ranges = Vec::new();
        events_of(value, &mut ranges);
        ranges.into_iter().map(|range| &value[range]).collect()
    }

    fn assert_events(value: impl AsRef<[u8]>, expected: &[&[u8]]) {
        let value = value.as_ref();
        assert_eq!(events(value), expected, "{}", String::from_utf8_lossy(value));
    }

    #[test]
    fn a_value_without_events() {
        for value in ["", "[]", " [ ] ", r#"{"batch":[]}"#, "\u{feff}[]", r#"{"batch":[ ],"writeKey":"k"}"#] {
            assert_events(value, &[]);
        }
    }

    #[test]
    fn lists_batches_and_wrappers() {
        let a = br#"{"type":"identify","userId":"a"}"#.as_slice();
        let b = br#"{"type":"track"}"#.as_slice();
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        let (ta, tb) = (text(a), text(b));
        assert_events(format!("[{ta}, {tb}\n]"), &[a, b]);
        assert_events(format!("{{\"batch\":[{ta},{tb}],\"writeKey\":\"k\"}}"), &[a, b]);
        assert_events(format!("{{\"message\":{ta}}}"), &[a]);
        assert_events(format!(" {{ \"userId\":\"a\",\"message\" : {ta} , \"topic\":\"t\" }} "), &[a]);
        assert_events(format!("\u{feff}{{\"message\":{ta}}}"), &[a]);
        assert_events(format!("\u{feff} [{ta}]"), &[a]);
        let item = |event| format!(r#"{{"message":{event},"metadata":{{"type":1}},"destination":{{}}}}"#);
        assert_events(format!("[{},{tb},{}]", item(ta), item(tb)), &[a, b, b]);
        assert_events(format!("{{\"batch\":[{}]}}", item(ta)), &[a]);
        assert_events(r#"{"\ud800":1,"message":{"type":1}}"#, &[br#"{"type":1}"#]);
    }

    #[test]
    fn anything_else_is_one_event_as_it_is() {
        for value in [
            br#"{"type":"identify"}"#.as_slice(),
            br#"{"type":"identify","traits":{"message":{"a":1},"batch":[1,2]}}"#,
            br#"{"type":"identify","message":{"a":1}}"#,
            br#"{"message":{"a":1},"type":null}"#,
            br#"{"message":"text"}"#,
            br#"{"batch":5}"#,
            br#"{"batch":[1],"batch":{}}"#,
            br#"{"message":{"a":1},"message":[]}"#,
            br#"{"message":{"a":NaN}}"#,
            b"{\"message\":{\"a\":\"\xff\"}}",
            b"{\"traits\":{\"message\":\"\xff\"}}",
            b"\xef\xbb\xbf{\"type\":1}",
            b"{\"message\":{}",
            b"{\"batch\":[{}",
            b"[{}",
            b"[{}]]",
            b"[{},]",
            b" ",
            b"null",
            b"7",
            b"text",
            b"\0\0\0\0\x05\x0auser",
            b"\x1f\x8b\x08",
            b"\xff",
        ] {
            let whole = value.strip_prefix("\u{feff}".as_bytes()).unwrap_or(value);
            assert_events(value, &[whole]);
        }
    }

    #[test]
    fn a_bad_element_costs_only_itself() {
        assert_events(b"[{\"a\":NaN},\"\xff\", {\"a\":1} ]", &[b"{\"a\":NaN}", b"\"\xff\"", b"{\"a\":1}"]);
        assert_events(b"{\"batch\":[{\"a\":NaN},{\"message\":{}}]}", &[b"{\"a\":NaN}", b"{}"]);
        assert_events(b"[{\"message\":{},\"x\":\"\xff\"},{\"message\":{}}]", &[b"{\"message\":{},\"x\":\"\xff\"}", b"{}"]);
        assert_events("[1,null,[2]]", &[b"1", b"null", b"[2]"]);
    }

    /// Pieces that make and break every shape.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let whole = [
            r#"{"type":"identify","userId":"a"}"#,
            r#"{"message":{"type":"track"}}"#,
            r#"{"batch":[{},1]}"#,
            "\"batch\"",
            "\"message\"",
            "\"type\"",
            "\"b\\u0061tch\"",
            "\u{feff}",
            "NaN",
        ];
        prop_oneof![
            2 => proptest::sample::select(whole.map(|text| text.as_bytes().to_vec()).to_vec()),
            3 => proptest::sample::select(b"{}[]:,\" \\a1".map(|byte| vec![byte]).to_vec()),
            1 => any::<u8>().prop_map(|byte| vec![byte]),
        ]
    }

    /// Values of traits that look like the other shapes.
    fn trait_value() -> impl Strategy<Value = Value> {
        let names = proptest::sample::select(vec!["message", "batch", "type", "x"]);
        let leaf = prop_oneof![Just(json!("batch")), Just(json!("\"message\"")), Just(json!(1))];
        leaf.prop_recursive(3, 12, 3, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::vec((names.clone(), inner), 0..3)
                    .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn events_lie_inside_and_in_order(pieces in proptest::collection::vec(piece(), 0..24)) {
            let value = pieces.concat();
            let mut events = Vec::new();
            events_of(&value, &mut events);
            prop_assert!(events.iter().all(|event| event.start <= event.end));
            prop_assert!(events.iter().all(|event| event.end <= value.len()));
            prop_assert!(events.is_sorted_by(|before, event| before.end < event.start));
        }

        #[test]
        fn a_bare_event_is_one_event_whatever_its_traits(message in trait_value(), other in trait_value()) {
            let event = json!({"message": message, "traits": {"batch": other, "message": message}, "type": "identify"});
            let text = serde_json::to_vec(&event).unwrap();
            prop_assert_eq!(events(&text), [text.as_slice()]);
        }

        #[test]
        fn the_elements_of_a_list_are_its_events(
            traits in proptest::collection::vec(trait_value(), 0..5), wrapped: bool, batch: bool,
        ) {
            let inside: Vec<_> = traits.into_iter().map(|traits| json!({"type": "identify", "traits": traits})).collect();
            let element = |event: &Value| if wrapped { json!({ "message": event }) } else { event.clone() };
            let elements: Vec<_> = inside.iter().map(element).collect();
            let value = if batch { json!({ "batch": elements }) } else { elements.into() };
            let text = serde_json::to_vec(&value).unwrap();
            let found: Vec<Value> = events(&text).into_iter().map(|event| serde_json::from_slice(event).unwrap()).collect();
            prop_assert_eq!(found, inside);
        }
    }
}
