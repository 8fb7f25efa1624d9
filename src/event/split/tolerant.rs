//! Finding the elements of a list in a text that is not valid as a whole: strings and brackets delimit them, and what is left
//! when each is replaced by `0` must be valid JSON. Python SDKs send `NaN`, others cut text in the middle of a character.

use std::ops::Range;

use super::{SplitError, json};

/// The elements of `batch`, if there is one.
pub(super) fn split(body: &[u8]) -> Result<Option<Vec<Range<usize>>>, SplitError> {
    let mut scan = Scan::new(body);
    let batch = if scan.peek() == b'{' { scan.members().ok_or(SplitError::InvalidJson)? } else { Batch::Absent };
    let outline = scan.outline();
    match batch {
        _ if !json::is_valid(&outline) => Err(SplitError::InvalidJson),
        _ if json::first(&outline) != b'{' => Err(SplitError::NotAnObject),
        Batch::Absent => Ok(None),
        Batch::Other => Err(SplitError::BatchNotAList),
        Batch::List(events) => Ok(Some(events)),
    }
}

/// The elements of a body that is a list.
pub(super) fn list(body: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut scan = Scan::new(body);
    if scan.peek() != b'[' {
        return None;
    }
    let events = scan.elements()?;
    json::is_valid(&scan.outline()).then_some(events)
}

enum Batch {
    Absent,
    Other,
    List(Vec<Range<usize>>),
}

/// Where a step finds no way on it returns `None`: the outline is broken.
struct Scan<'a> {
    body: &'a [u8],
    at: usize,
    /// How much of `body` is in `outline`, apart from the elements.
    copied: usize,
    outline: Vec<u8>,
}

impl<'a> Scan<'a> {
    fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0, copied: 0, outline: Vec::new() }
    }

    /// The body with each element found so far replaced by `0`.
    fn outline(&mut self) -> String {
        self.outline.extend_from_slice(&self.body[self.copied..]);
        self.copied = self.body.len();
        String::from_utf8_lossy(&self.outline).into_owned()
    }

    /// The members of the body; of several `batch` the last counts.
    fn members(&mut self) -> Option<Batch> {
        let mut batch = Batch::Absent;
        self.at += 1;
        while self.peek() == b'"' {
            let name = self.at;
            self.at = json::end_of_string(self.body, name)?;
            let is_batch = std::str::from_utf8(&self.body[name..self.at]).is_ok_and(|name| *json::decoded(name) == *b"batch");
            if self.peek() != b':' {
                return None;
            }
            self.at += 1;
            match (is_batch, self.peek()) {
                (true, b'[') => batch = Batch::List(self.elements()?),
                (true, _) => batch = Batch::Other,
                (false, _) => {}
            }
            self.skip()?;
            self.at += usize::from(self.body.get(self.at) == Some(&b','));
        }
        Some(batch)
    }

    /// The elements of the list that opens here, each `0` in the outline; stops at the closing bracket.
    fn elements(&mut self) -> Option<Vec<Range<usize>>> {
        let mut events = Vec::new();
        loop {
            self.at += 1;
            self.peek();
            let start = self.at;
            self.skip()?;
            let event = start..start + self.body[start..self.at].trim_ascii_end().len();
            if !event.is_empty() {
                self.outline.extend_from_slice(&self.body[self.copied..event.start]);
                self.outline.push(b'0');
                self.copied = event.end;
                events.push(event);
            }
            if self.body.get(self.at) == Some(&b']') {
                self.at += 1;
                return Some(events);
            }
        }
    }

    /// Moves to the comma or bracket that ends the value which begins here.
    fn skip(&mut self) -> Option<()> {
        let mut open = Vec::new();
        loop {
            match *self.body.get(self.at)? {
                b'"' => {
                    self.at = json::end_of_string(self.body, self.at)?;
                    continue;
                }
                b'{' => open.push(b'}'),
                b'[' => open.push(b']'),
                close @ (b'}' | b']') => match open.pop() {
                    None => return Some(()),
                    Some(expected) if expected == close => {}
                    Some(_) => return None,
                },
                b',' if open.is_empty() => return Some(()),
                _ => {}
            }
            self.at += 1;
        }
    }

    fn peek(&mut self) -> u8 {
        json::peek(self.body, &mut self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, split};
    use super::*;

    fn events(body: &[u8]) -> Result<Vec<&[u8]>, SplitError> {
        match split(body)? {
            Body::Event(_) => unreachable!("the bodies of these tests are batches"),
            Body::Batch(events) => Ok(events.into_iter().map(|event| &body[event]).collect()),
        }
    }

    #[test]
    fn a_bad_element_does_not_cost_its_neighbours() {
        let body = b"{\"a\":1, \"batch\" : [ {\"x\":NaN}, {\"s\":\"]},\\\"\"} ,\"\xff\",{\"a\":1} {} ], \"b\":[{}]}";
        let found = [b"{\"x\":NaN}".as_slice(), b"{\"s\":\"]},\\\"\"}", b"\"\xff\"", b"{\"a\":1} {}"];
        assert_eq!(events(body), Ok(found.to_vec()));
        assert_eq!(events(b"{\"batch\":[NaN],\"x\":\"\xff\",\"batch\":[1,{}]}"), Ok(vec![b"1".as_slice(), b"{}"]));
        assert_eq!(events(b"{\"\xff\":1,\"b\\u0061tch\":[1]}"), Ok(vec![b"1".as_slice()]));
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
            r#"{"batch":[{"a":1},]}"#,
            r#"{"batch":[NaN,,1]}"#,
            r#"{"batch":[NaN"#,
            r#"{"batch":[{"a":"x}]}"#,
            r#"{"batch":[NaN]}}"#,
            r#"{"batch":[NaN],}"#,
            r#"{"batch":[NaN] 5}"#,
            r#"{"batch" [NaN]}"#,
            r#"{"x":NaN,"batch":[1]}"#,
            r#"{"batch":[1],"x":"\u12"}"#,
        ] {
            assert_eq!(split(body.as_bytes()), Err(SplitError::InvalidJson), "{body}");
        }
    }
}
