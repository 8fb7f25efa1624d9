//! Splits a text that is not valid as a whole: Python SDKs send `NaN`, others cut text in the
//! middle of a character or set commas wrongly. [`mod@super::elements`] says what a list may look
//! like; everything around it must be valid JSON, apart from bytes in strings that are not UTF-8.
//! Nothing is copied.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::{Elements, SplitError, json};

/// Bytes of the longest spelling of `"sentAt"`: two quotes, and `\u0073` for each letter.
const LONGEST_NAME: usize = 2 + 6 * 6;

/// The elements of `batch`, if there is one.
pub(super) fn split(body: &[u8]) -> Result<Option<Elements>, SplitError> {
    let mut at = 0;
    if json::peek(body, &mut at) != b'{' {
        return Err(if is_valid(body) { SplitError::NotAnObject } else { SplitError::InvalidJson });
    }
    match members(body, at).ok_or(SplitError::InvalidJson)? {
        BatchMember::Absent => Ok(None),
        BatchMember::Other => Err(SplitError::BatchNotAList),
        BatchMember::List(elements) => Ok(Some(elements)),
    }
}

/// The elements of a text that is a list.
pub(super) fn list(text: &[u8]) -> Option<Elements> {
    let mut at = 0;
    if json::peek(text, &mut at) != b'[' {
        return None;
    }
    let elements = Elements::count(text, &mut at)?;
    is_end(text, at).then_some(elements)
}

/// The member `batch` of an object.
enum BatchMember {
    Absent,
    /// A value that is not a list.
    Other,
    List(Elements),
}

/// The name of a member of the object that holds the batch.
#[derive(PartialEq, Eq)]
enum MemberName {
    Batch,
    SentAt,
    Other,
}

/// Reads the object that opens at `at` and is the rest of `body`; the last one of several `batch`
/// counts. `None`: the object is not valid.
fn members(body: &[u8], mut at: usize) -> Option<BatchMember> {
    let (mut batch, mut sent_at) = (BatchMember::Absent, None);
    at += 1;
    let mut more = json::peek(body, &mut at) != b'}';
    while more {
        let name = name(body, &mut at)?;
        if json::peek(body, &mut at) != b':' {
            return None;
        }
        at += 1;
        if name == MemberName::Batch && json::peek(body, &mut at) == b'[' {
            batch = BatchMember::List(Elements::count(body, &mut at)?);
        } else {
            let value = skip_value(body, &mut at)?;
            match name {
                MemberName::Batch => batch = BatchMember::Other,
                MemberName::SentAt => sent_at = Some(value),
                MemberName::Other => {}
            }
        }
        more = match json::peek(body, &mut at) {
            b',' => true,
            b'}' => false,
            _ => return None,
        };
        at += usize::from(more);
    }
    let batch = match batch {
        BatchMember::List(elements) => BatchMember::List(elements.sent(sent_at)),
        other => other,
    };
    is_end(body, at + 1).then_some(batch)
}

/// Moves `at` past the name that follows after blanks.
fn name(body: &[u8], at: &mut usize) -> Option<MemberName> {
    if json::peek(body, at) != b'"' {
        return None;
    }
    let start = *at;
    *at = json::end_of_string(body, start)?;
    let quoted = &body[start..*at];
    if !is_valid(quoted) {
        return None;
    }
    let short = std::str::from_utf8(quoted).ok().filter(|name| name.len() <= LONGEST_NAME);
    Some(match short.map(json::decoded).as_deref() {
        Some(b"batch") => MemberName::Batch,
        Some(b"sentAt") => MemberName::SentAt,
        _ => MemberName::Other,
    })
}

/// Moves `at` past the valid value that follows after blanks; returns its place.
fn skip_value(body: &[u8], at: &mut usize) -> Option<Range<usize>> {
    json::peek(body, at);
    let start = *at;
    let mut values =
        serde_json::Deserializer::from_slice(body.get(start..)?).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    *at += values.byte_offset();
    Some(start..*at)
}

/// True when `text` is one JSON document; strings may hold bytes that are not UTF-8.
fn is_valid(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// True when nothing but blanks follows.
fn is_end(text: &[u8], mut at: usize) -> bool {
    json::peek(text, &mut at);
    at >= text.len()
}

#[cfg(test)]
mod tests {
    use super::super::{Body, split};
    use super::*;

    fn events(body: &[u8]) -> Result<Vec<&[u8]>, SplitError> {
        match split(body)? {
            Body::Event(_) => unreachable!("the bodies of these tests are batches"),
            Body::Batch(mut events) => {
                Ok(std::iter::from_fn(|| events.next(body).map(|event| &body[event])).collect())
            }
        }
    }

    #[test]
    fn a_bad_element_does_not_cost_its_neighbours() {
        let body = b"{\"a\":1, \"batch\" : [ {\"x\":NaN}, {\"s\":\"]},\\\"\"} ,\"\xff\",{\"a\":1} \
            {} ], \"b\":[{}]}";
        let found =
            [b"{\"x\":NaN}".as_slice(), b"{\"s\":\"]},\\\"\"}", b"\"\xff\"", b"{\"a\":1}", b"{}"];
        assert_eq!(events(body), Ok(found.to_vec()));
        assert_eq!(
            events(b"{\"batch\":[NaN],\"x\":\"\xff\",\"batch\":[1,{}]}"),
            Ok(vec![b"1".as_slice(), b"{}"])
        );
        assert_eq!(events(b"{\"\xff\":1,\"b\\u0061tch\":[1]}"), Ok(vec![b"1".as_slice()]));
        assert_eq!(events(b"{\"batch\":[{\"a\":1},]}"), Ok(vec![b"{\"a\":1}".as_slice()]));
        assert_eq!(events(b"{\"batch\":[NaN,,1]}"), Ok(vec![b"NaN".as_slice(), b"1"]));
        assert_eq!(events(b"{\"batch\":[,,],\"n\":-1.5e3 }"), Err(SplitError::EmptyBatch));
    }

    #[test]
    fn an_object_with_broken_text_outside_of_batches_is_one_event() {
        assert_eq!(split(b"{\"userId\":\"\xff\"}"), Ok(Body::Event(0..14)));
        assert_eq!(split(b"{\"batch\":1,\"userId\":\"\xff\"}"), Err(SplitError::BatchNotAList));
        assert_eq!(split(b"[\"\xff\"]"), Err(SplitError::NotAnObject));
    }

    #[test]
    fn without_an_outline_there_are_no_events() {
        for body in [
            r#"{"batch":[{"a":1]}"#,
            r#"{"batch":[{"a":[1},{"b":2}]}"#,
            r#"{"batch":[NaN"#,
            r#"{"batch":[{"a":"x}]}"#,
            r#"{"batch":[NaN]}}"#,
            r#"{"batch":[NaN],}"#,
            r#"{,"batch":[NaN]}"#,
            r#"{"batch":[NaN],,"a":1}"#,
            r#"{"batch":[NaN] 5}"#,
            r#"{"batch":[NaN] "a":1}"#,
            r#"{"batch" [NaN]}"#,
            r#"{"x":NaN,"batch":[1]}"#,
            r#"{"x":01,"batch":[1]}"#,
            r#"{"x":[1,],"batch":[1]}"#,
            r#"{"batch":[1],"x":"\u12"}"#,
            "{\"batch\":[NaN],\"a\tb\":1}",
        ] {
            assert_eq!(split(body.as_bytes()), Err(SplitError::InvalidJson), "{body}");
        }
    }
}
