//! Finds the events of a message that is not an HTTP body: a Kafka record or a line of a file.
//! Producers send a bare event, a list of events, or a batch. The transform finds an event in a
//! wrapper ([`super::Origin::wrapped`]).

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::json;
use super::split::{self, Elements};

static BATCH: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\"batch\""));

/// The places of a message's events in `value`, in order; may be empty.
///
/// `value` is an event, `[event, ..]`, or `{"batch":[event, ..]}`. Anything else counts as one
/// event, and the transform says what is wrong with it. A bad element of a list does not cost the
/// others. A batch is found only if its name is spelled without escapes.
pub fn events_of(value: &[u8]) -> Elements {
    if value.is_empty() {
        return Elements::default();
    }
    let text = json::without_bom(value);
    let offset = value.len() - text.len();
    let list = match json::peek(text, &mut 0) {
        b'[' => split::list(text),
        b'{' if BATCH.find(text).is_some() => split::batch(text).ok().flatten(),
        _ => None,
    };
    list.map_or_else(|| Elements::one(0..value.len()), |list| list.shifted(offset))
}

/// True when a line holds nothing but white space.
pub fn is_blank(line: &[u8]) -> bool {
    json::without_bom(line).trim_ascii().is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::event::{Limits, Origin, Rules, Transformer};

    fn limits() -> Limits {
        Limits {
            max_event: 1 << 20,
            max_depth: 100,
            max_fields: 100,
            max_key: 100,
            max_field_name: 100,
            max_update: 1 << 20,
        }
    }

    fn events(value: &[u8]) -> Vec<&[u8]> {
        let mut events = events_of(value);
        std::iter::from_fn(|| events.next(value).map(|range| &value[range])).collect()
    }

    fn assert_events(value: impl AsRef<[u8]>, expected: &[&[u8]]) {
        let value = value.as_ref();
        assert_eq!(events(value), expected, "{}", String::from_utf8_lossy(value));
    }

    #[test]
    fn a_value_without_events() {
        for value in [
            "",
            "[]",
            " [ ] ",
            "[,]",
            r#"{"batch":[]}"#,
            "\u{feff}[]",
            r#"{"batch":[ ],"writeKey":"k"}"#,
        ] {
            assert_events(value, &[]);
        }
    }

    #[test]
    fn lists_and_batches() {
        let a = br#"{"type":"identify","userId":"a"}"#.as_slice();
        let b = br#"{"type":"track"}"#.as_slice();
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        let (ta, tb) = (text(a), text(b));
        assert_events(format!("[{ta}, {tb}\n]"), &[a, b]);
        assert_events(format!("{{\"batch\":[{ta},{tb}],\"writeKey\":\"k\"}}"), &[a, b]);
        assert_events(format!("\u{feff} [{ta}]"), &[a]);
        assert_events(format!("\u{feff}{{\"batch\":[{ta}]}}"), &[a]);
        assert_events(format!("[,{ta}{tb},,{ta},]"), &[a, b, a]);
        assert_events(format!("{{\"batch\":[{ta}{tb}]}}"), &[a, b]);
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
            br#"{"message":{"type":"identify"}}"#,
            b"{\"message\":{}",
            b"{\"batch\":[{}",
            b"[{}",
            b"[{}]]",
            b" ",
            b"null",
            b"7",
            b"text",
            b"\0\0\0\0\x05\x0auser",
            b"\x1f\x8b\x08",
            b"\xff",
        ] {
            assert_events(value, &[value]);
        }
    }

    #[test]
    fn a_bad_element_costs_only_itself() {
        assert_events(
            b"[{\"a\":NaN},\"\xff\", {\"a\":1} ]",
            &[b"{\"a\":NaN}", b"\"\xff\"", b"{\"a\":1}"],
        );
        assert_events(
            b"{\"batch\":[{\"a\":NaN},{\"message\":{}}]}",
            &[b"{\"a\":NaN}", b"{\"message\":{}}"],
        );
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
                proptest::collection::vec((names.clone(), inner), 0..3).prop_map(|members| members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn events_lie_inside_and_in_order(pieces in proptest::collection::vec(piece(), 0..24)) {
            let value = pieces.concat();
            let (mut elements, mut events) = (events_of(&value), Vec::new());
            let count = elements.len();
            while let Some(event) = elements.next(&value) {
                events.push(event);
            }
            prop_assert_eq!(events.len(), count);
            let inside = |event: &std::ops::Range<usize>| {
                event.start <= event.end && event.end <= value.len()
            };
            prop_assert!(events.iter().all(inside));
            prop_assert!(events.is_sorted_by(|before, event| before.end <= event.start));
        }

        #[test]
        fn a_bare_event_is_decided_as_its_only_event_is(
            pieces in proptest::collection::vec(piece(), 0..24),
            wrapped: bool,
        ) {
            let value = pieces.concat();
            let found = events(&value);
            let limits = Limits { max_event: 200, ..limits() };
            let rules = Rules::new(limits, "Redis");
            let origin = Origin { wrapped, ..Origin::default() };
            let mut transformer = Transformer::default();
            if let Some(decision) = transformer.transform_bare(&rules, origin, &value) {
                prop_assert_eq!(found, [value.as_slice()]);
                prop_assert_eq!(decision, transformer.transform(&rules, origin, &value));
            }
        }

        #[test]
        fn a_bare_event_is_one_event_whatever_its_traits(
            message in trait_value(),
            other in trait_value(),
        ) {
            let traits = json!({"batch": other, "message": message});
            let event = json!({"message": message, "traits": traits, "type": "identify"});
            let text = serde_json::to_vec(&event).unwrap();
            prop_assert_eq!(events(&text), [text.as_slice()]);
            let (rules, mut transformer) = (Rules::new(limits(), "Redis"), Transformer::default());
            let decision = transformer.transform(&rules, Origin::default(), &text);
            prop_assert_eq!(
                transformer.transform_bare(&rules, Origin::default(), &text),
                Some(decision)
            );
        }

        #[test]
        fn the_elements_of_a_list_are_its_events(
            traits in proptest::collection::vec(trait_value(), 0..5),
            batch: bool,
        ) {
            let event = |traits| json!({"type": "identify", "traits": traits});
            let inside: Vec<_> = traits.into_iter().map(event).collect();
            let value = if batch { json!({ "batch": inside }) } else { inside.clone().into() };
            let text = serde_json::to_vec(&value).unwrap();
            let parsed = |event| serde_json::from_slice(event).unwrap();
            let found: Vec<Value> = events(&text).into_iter().map(parsed).collect();
            prop_assert_eq!(found, inside);
        }
    }
}
