//! The traits of an event as one JavaScript value.

use crate::event::envelope::Envelope;
use crate::event::js::{self, TooDeep, Value};
use crate::event::{Limits, RejectReason, json};
use crate::profile::JsonTraits;

/// The traits that go into a document: an object, or an array; `None`: there are none.
///
/// # Errors
/// `TooDeep`.
pub(super) fn of_document<'a>(
    envelope: &Envelope<'a>,
    traits: JsonTraits,
    limits: &Limits,
) -> Result<Option<Value<'a>>, RejectReason> {
    let (context, own) = (envelope.context_traits, envelope.traits);
    match traits {
        JsonTraits::Both => {
            let objects = [context, own].into_iter().flatten().filter(|raw| starts(raw, b"{"));
            objects.map(|raw| value_of(raw, limits)).try_fold(None, |base, over| {
                let over = over?;
                Ok(Some(match base {
                    Some(base) => js::merged(base, over),
                    None => over,
                }))
            })
        }
        JsonTraits::Either => {
            let taken = |raw: &&str| !matches!(*raw, "null" | "\"\"");
            let chosen = [own, context].into_iter().flatten().find(taken);
            chosen.filter(|raw| starts(raw, b"{[")).map(|raw| value_of(raw, limits)).transpose()
        }
    }
}

/// The value of `raw`, with U+FFFD for lone surrogates.
///
/// # Errors
/// `TooDeep`.
pub(super) fn value_of<'a>(raw: &'a str, limits: &Limits) -> Result<Value<'a>, RejectReason> {
    let value = js::parse(raw, limits.max_depth).map_err(|TooDeep| RejectReason::TooDeep)?;
    let has_escape = memchr::memmem::find(raw.as_bytes(), b"\\u").is_some();
    Ok(if has_escape { js::without_surrogates(value) } else { value })
}

/// Whether `raw` begins with one of `brackets`.
pub(super) fn starts(raw: &str, brackets: &[u8]) -> bool {
    brackets.contains(&json::first(raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::js::push_json;

    fn chosen(context: Option<&str>, own: Option<&str>, traits: JsonTraits) -> String {
        let envelope = Envelope { context_traits: context, traits: own, ..Envelope::default() };
        let limits = Limits {
            max_event: 0,
            max_depth: 9,
            max_fields: 0,
            max_key: 0,
            max_field_name: 0,
            max_update: 0,
        };
        match of_document(&envelope, traits, &limits) {
            Ok(Some(value)) => {
                let mut out = Vec::new();
                push_json(&mut out, &value, usize::MAX);
                String::from_utf8(out).unwrap()
            }
            Ok(None) => "none".into(),
            Err(reason) => reason.as_str().into(),
        }
    }

    #[test]
    fn both_are_merged_member_by_member() {
        for (context, own, both) in [
            (
                Some(r#"{"a":{"b":1,"c":2},"d":1}"#),
                Some(r#"{"a":{"b":3}}"#),
                r#"{"a":{"b":3,"c":2},"d":1}"#,
            ),
            (Some(r#"{"a":1}"#), Some(r#"{"a":{"b":2}}"#), r#"{"a":{"b":2}}"#),
            (Some(r#"{"a":{"b":1}}"#), Some(r#"{"a":null}"#), r#"{"a":null}"#),
            (Some(r#"{"a":null}"#), Some(r#"{"a":1}"#), r#"{"a":1}"#),
            (Some(r#"{"a":[1,2]}"#), Some(r#"{"a":[3]}"#), r#"{"a":[3]}"#),
            (Some(r#"{"a":1}"#), Some("{}"), r#"{"a":1}"#),
            (Some(r#"{"a":1}"#), Some("[2]"), r#"{"a":1}"#),
            (Some("7"), Some(r#"{"9":1,"a":2,"1":3}"#), r#"{"1":3,"9":1,"a":2}"#),
            (Some(r#"{"b":1,"7":1}"#), Some(r#"{"a":1,"2":2}"#), r#"{"2":2,"7":1,"b":1,"a":1}"#),
            (
                Some(r#"{"__proto__":{"a":1}}"#),
                Some(r#"{"__proto__":{"b":1}}"#),
                r#"{"__proto__":{"a":1,"b":1}}"#,
            ),
            (
                None,
                Some(r#"{"\ud800":1,"\udfff":["\ud800\udc00","\udbff"]}"#),
                "{\"\u{fffd}\":[\"\u{10000}\",\"\u{fffd}\"]}",
            ),
            (None, None, "none"),
        ] {
            assert_eq!(chosen(context, own, JsonTraits::Both), both, "{context:?} {own:?}");
        }
    }

    #[test]
    fn either_is_chosen_as_the_original_does() {
        let context = Some(r#"{"q":1}"#);
        for (own, either) in [
            (Some(r#"{"a":1}"#), r#"{"a":1}"#),
            (Some("{}"), "{}"),
            (Some("[1]"), "[1]"),
            (Some("false"), "none"),
            (Some("0"), "none"),
            (Some("\"s\""), "none"),
            (Some("\"\""), r#"{"q":1}"#),
            (Some("null"), r#"{"q":1}"#),
            (None, r#"{"q":1}"#),
        ] {
            assert_eq!(chosen(context, own, JsonTraits::Either), either, "{own:?}");
        }
        assert_eq!(chosen(None, None, JsonTraits::Either), "none");
    }
}
