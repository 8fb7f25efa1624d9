//! Finds the events of an HTTP body, and the elements of lists.

use std::ops::Range;

use super::json;
use super::scan::Scanner;

mod elements;
mod error;
mod tolerant;

pub use elements::Elements;
pub use error::SplitError;

/// The events of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    /// An object without `batch`: one event.
    Event(Range<usize>),
    /// The elements of `batch`, at least one.
    Batch(Elements),
}

/// Finds the events of a body. When only the elements of `batch` are not valid JSON or UTF-8, each
/// element is still found, so that a bad element does not cost the others.
///
/// # Errors
/// The body has no events.
pub fn split(body: &[u8]) -> Result<Body, SplitError> {
    let bare = json::without_bom(body);
    let offset = body.len() - bare.len();
    match batch(bare)? {
        None => Ok(Body::Event(offset..body.len())),
        Some(events) if events.is_empty() => Err(SplitError::EmptyBatch),
        Some(events) => Ok(Body::Batch(events.shifted(offset))),
    }
}

/// The elements of `batch`, if there is one, in an object without a byte order mark.
pub(super) fn batch(body: &[u8]) -> Result<Option<Elements>, SplitError> {
    match std::str::from_utf8(body).ok().and_then(strict) {
        Some(batch) => Ok(batch),
        None => tolerant::split(body),
    }
}

/// The elements, also bad ones, of a list without a byte order mark; `None` when the list has no
/// end.
pub(super) fn list(text: &[u8]) -> Option<Elements> {
    let strict = std::str::from_utf8(text).ok().and_then(|text| {
        let mut scanner = Scanner::new(text);
        let elements = elements(&mut scanner)?;
        scanner.is_end().then_some(elements)
    });
    strict.or_else(|| tolerant::list(text))
}

/// The elements of `batch`, if there is one. The outer `None`: `batch` is not a list, or the text
/// is not a valid object.
fn strict(text: &str) -> Option<Option<Elements>> {
    let mut scanner = Scanner::new(text);
    if scanner.peek() != b'{' {
        return None;
    }
    let (mut batch, mut sent_at) = (None, None);
    let mut more = scanner.open(b'}');
    while more {
        match &*scanner.name()? {
            b"batch" => batch = Some(elements(&mut scanner)?),
            b"sentAt" => sent_at = Some(scanner.place()?),
            _ => _ = scanner.place()?,
        }
        more = scanner.more(b'}')?;
    }
    scanner.is_end().then(|| batch.map(|batch: Elements| batch.sent(sent_at)))
}

/// The elements of the list that follows; moves past it. `None`: it is not a valid list.
fn elements(scanner: &mut Scanner<'_>) -> Option<Elements> {
    let mut elements = Elements::default();
    if scanner.peek() != b'[' {
        return None;
    }
    let mut more = scanner.open(b']');
    while more {
        elements.push(scanner.place()?);
        more = scanner.more(b']')?;
    }
    Some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(body: &[u8]) -> Result<Vec<&[u8]>, SplitError> {
        Ok(match split(body)? {
            Body::Event(event) => vec![&body[event]],
            Body::Batch(mut events) => {
                std::iter::from_fn(|| events.next(body).map(|event| &body[event])).collect()
            }
        })
    }

    #[test]
    fn an_object_is_one_event_or_a_batch() {
        assert_eq!(events(b" {\"type\":1} "), Ok(vec![b" {\"type\":1} ".as_slice()]));
        assert_eq!(
            events(b"{\"x\":[{}],\"batch\": [ {\"a\":[1,{}]} , 7,null ] }"),
            Ok(vec![b"{\"a\":[1,{}]}".as_slice(), b"7", b"null"])
        );
        assert_eq!(events(b"{\"batch\":5,\"b\\u0061tch\":[1]}"), Ok(vec![b"1".as_slice()]));
        assert_eq!(events(b"{\"batch\":[1,2],\"batch\":[3]}"), Ok(vec![b"3".as_slice()]));
        assert_eq!(events("\u{feff}{\"batch\":[1,2]}".as_bytes()), Ok(vec![b"1".as_slice(), b"2"]));
        assert_eq!(events("\u{feff}{}".as_bytes()), Ok(vec![b"{}".as_slice()]));
    }

    #[test]
    fn the_time_of_a_batch_is_found_beside_it() {
        for (body, sent_at) in [
            (&br#" {"sentAt": "a" ,"batch":[1]}"#[..], Some("\"a\"")),
            ("\u{feff}{\"batch\":[1],\"sentAt\":17}".as_bytes(), Some("17")),
            (br#"{"sentAt":1,"batch":[{"sentAt":3}],"s\u0065ntAt":null}"#, Some("null")),
            (br#"{"batch":[NaN,{}], "sentAt" : {"a":[1]} }"#, Some(r#"{"a":[1]}"#)),
            (b"{\"sentAt\":\"2023\",\"batch\":[\"\xff\"]}", Some("\"2023\"")),
            (b"{\"sentAt\":\"\xff\",\"batch\":[1]}", None),
            (br#"{"batch":[{"sentAt":3}],"context":{"sentAt":1}}"#, None),
        ] {
            let Ok(Body::Batch(elements)) = split(body) else { panic!("{body:?}") };
            assert_eq!(elements.sent_at(body), sent_at, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn bodies_without_events_say_why() {
        for (body, error) in [
            (r#"{"batch":[]}"#, SplitError::EmptyBatch),
            (r#"{"batch":[1],"batch":[ ]}"#, SplitError::EmptyBatch),
            (r#"{"batch":null}"#, SplitError::BatchNotAList),
            (r#"{"batch":{"a":1}}"#, SplitError::BatchNotAList),
            (r#"{"batch":[1],"batch":"\ud800"}"#, SplitError::BatchNotAList),
            ("[{}]", SplitError::NotAnObject),
            ("\"\\ud800\"", SplitError::NotAnObject),
            ("1e400", SplitError::NotAnObject),
            ("", SplitError::InvalidJson),
            ("{", SplitError::InvalidJson),
            ("{}{}", SplitError::InvalidJson),
            (r#"{"a":NaN}"#, SplitError::InvalidJson),
            ("{\"a\tb\":1}", SplitError::InvalidJson),
            ("\u{feff}\u{feff}{}", SplitError::InvalidJson),
        ] {
            assert_eq!(split(body.as_bytes()), Err(error), "{body}");
        }
    }
}
