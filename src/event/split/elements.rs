//! The elements of a list, found one after the other. Only the places of the first few are kept,
//! because a short text can hold millions.
//!
//! # The grammar
//! Some mobile SDKs send batches with too many commas or too few. A list is
//! ```text
//! list   = "[" { blank | "," | object | other } "]"
//! object = "{" .. "}"      up to its closing bracket; strings are skipped, brackets must match
//! other  = everything between those, as long as possible: a scalar, a string, a list, or a mixture
//! ```
//! So leading, doubled and trailing commas are ignored, and an object ends at its closing brace,
//! even when the comma is missing. `other` ends before a comma, an object, or the end of the list;
//! blanks at its end are not part of it. Each object and each `other` is one element, which need
//! not be an event: `[{..} x,"a""b",NaN]` has four elements. A string or a bracket that is never
//! closed, or a bracket of the wrong kind, leaves the list without an end: then the text has no
//! elements. A list that is valid JSON has the elements that JSON gives it.

use std::ops::Range;

use crate::event::json;
use crate::event::open_brackets::OpenBrackets;

/// Places that are kept, at most. Finding an element again costs about as much as skipping it.
const NOTED: usize = 512;

/// The places of a text's elements, in order. Does not hold the text: each call must pass the same
/// text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Elements {
    /// The position from which the other places are counted.
    base: usize,
    /// The whole text, when it is not a list.
    one: Option<Range<usize>>,
    /// The first elements of a list.
    noted: Vec<Range<u32>>,
    /// How many of `noted` were returned.
    returned: usize,
    /// Where the search for the elements after `noted` begins.
    at: usize,
    /// How many elements follow after `at`.
    left: usize,
    /// The value of `sentAt` beside the list, in a batch.
    sent_at: Option<Range<usize>>,
}

impl Elements {
    /// One element, which is not in a list.
    pub fn one(range: Range<usize>) -> Self {
        Self { one: Some(range), ..Self::default() }
    }

    /// The elements of the list that opens at `at`; moves `at` past the list. `None`: the list has
    /// no end.
    pub(super) fn count(text: &[u8], at: &mut usize) -> Option<Self> {
        let mut elements = Self::default();
        *at += 1;
        while let Some(element) = next(text, at)? {
            elements.push(element);
        }
        *at += 1;
        Some(elements)
    }

    /// Adds the next element of a list.
    pub(super) fn push(&mut self, element: Range<usize>) {
        let noted = (u32::try_from(element.start).ok().zip(u32::try_from(element.end).ok()))
            .filter(|_| self.noted.len() < NOTED);
        match noted {
            Some((start, end)) if self.left == 0 => {
                self.noted.push(start..end);
                self.at = element.end;
            }
            _ => {
                if self.left == 0 {
                    self.at = element.start;
                }
                self.left += 1;
            }
        }
    }

    /// The same elements of a batch, whose `sentAt` stands there.
    pub(super) fn sent(self, at: Option<Range<usize>>) -> Self {
        Self { sent_at: at, ..self }
    }

    /// The raw JSON text of the `sentAt` of the batch that holds the elements; `text` is the text
    /// that was split.
    pub fn sent_at<'a>(&self, text: &'a [u8]) -> Option<&'a str> {
        let Range { start, end } = self.sent_at.clone()?;
        std::str::from_utf8(text.get(start + self.base..end + self.base)?).ok()
    }

    /// The same elements in a text with `more` bytes in front.
    pub(in crate::event) fn shifted(self, more: usize) -> Self {
        Self { base: self.base + more, ..self }
    }

    /// Elements that were not returned yet.
    pub fn len(&self) -> usize {
        usize::from(self.one.is_some()) + self.noted.len() - self.returned + self.left
    }

    /// True when all elements were returned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of the next element in `text`, which is the text that was split.
    pub fn next(&mut self, text: &[u8]) -> Option<Range<usize>> {
        let element = if let Some(one) = self.one.take() {
            one
        } else if let Some(noted) = self.noted.get(self.returned) {
            self.returned += 1;
            noted.start as usize..noted.end as usize
        } else {
            self.left = self.left.checked_sub(1)?;
            next(text.get(self.base..)?, &mut self.at)??
        };
        Some(element.start + self.base..element.end + self.base)
    }
}

/// The next element of the list in which `at` lies; moves `at` past it. `Some(None)` at the end of
/// the list, with `at` on its bracket; `None` when the list has no end.
fn next(text: &[u8], at: &mut usize) -> Option<Option<Range<usize>>> {
    while json::peek(text, at) == b',' {
        *at += 1;
    }
    let start = *at;
    match *text.get(start)? {
        b']' => return Some(None),
        b'{' => *at = end_of_brackets(text, start)?,
        _ => skip_other(text, at)?,
    }
    let blanks = text[start..*at]
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        .count();
    Some(Some(start..*at - blanks))
}

/// Moves `at` to the end of the element there, which is not an object.
fn skip_other(text: &[u8], at: &mut usize) -> Option<()> {
    loop {
        match *text.get(*at)? {
            b'"' => *at = json::end_of_string(text, *at)?,
            b'[' => *at = end_of_brackets(text, *at)?,
            b',' | b']' | b'{' => return Some(()),
            b'}' => return None,
            _ => *at += 1,
        }
    }
}

/// The position after the bracket that closes the one at `start`; brackets must match.
fn end_of_brackets(text: &[u8], start: usize) -> Option<usize> {
    let (mut open, mut at) = (OpenBrackets::default(), start);
    loop {
        match *text.get(at)? {
            b'"' => {
                at = json::end_of_string(text, at)?;
                continue;
            }
            byte @ (b'{' | b'[') => open.push(byte == b'{'),
            byte @ (b'}' | b']') => {
                if open.pop() != Some(byte == b'}') {
                    return None;
                }
                if open.depth() == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(list: &str) -> Option<Vec<&str>> {
        let mut at = 0;
        let mut elements = Elements::count(list.as_bytes(), &mut at)?;
        assert_eq!(at, list.len(), "{list}");
        let mut found = Vec::new();
        while let Some(range) = elements.next(list.as_bytes()) {
            found.push(&list[range]);
        }
        assert!(elements.is_empty());
        Some(found)
    }

    #[test]
    fn commas_too_many_or_too_few_cost_no_element() {
        for (list, expected) in [
            ("[]", vec![]),
            ("[ ]", vec![]),
            ("[,]", vec![]),
            ("[ , ,, ]", vec![]),
            ("[1]", vec!["1"]),
            ("[,{} , , {\"a\":1},\n]", vec!["{}", "{\"a\":1}"]),
            ("[{\"a\":1}{\"b\":2},{}{} {}]", vec!["{\"a\":1}", "{\"b\":2}", "{}", "{}", "{}"]),
            ("[{}x,{}]", vec!["{}", "x", "{}"]),
            ("[{} x y ,{}]", vec!["{}", "x y", "{}"]),
            (
                "[1 2,tru,NaN,\"a\"\"b\",[1][2] 3]",
                vec!["1 2", "tru", "NaN", "\"a\"\"b\"", "[1][2] 3"],
            ),
            ("[nul{\"a\":1}1{}]", vec!["nul", "{\"a\":1}", "1", "{}"]),
            ("[\"]},{\\\"[\",{\"}]\":\"\\\\\"}]", vec!["\"]},{\\\"[\"", "{\"}]\":\"\\\\\"}"]),
            ("[[],[[{}],{}] , {\"a\":[{}]}]", vec!["[]", "[[{}],{}]", "{\"a\":[{}]}"]),
            ("[\u{c},\0]", vec!["\u{c}", "\0"]),
        ] {
            assert_eq!(elements(list), Some(expected), "{list}");
        }
    }

    #[test]
    fn elements_beyond_those_that_are_kept_are_found_again() {
        for count in [NOTED - 1, NOTED, NOTED + 1, 3 * NOTED] {
            let expected: Vec<String> = (0..count).map(|n| format!("{{\"a\":[{n}]}}")).collect();
            assert_eq!(elements(&format!("[{}]", expected.join(" ,, "))).unwrap(), expected);
        }
    }

    #[test]
    fn millions_of_elements_take_little_room() {
        let list = format!("[{}]", "{},".repeat(1 << 20));
        let elements = Elements::count(list.as_bytes(), &mut 0).unwrap();
        assert_eq!(elements.len(), 1 << 20);
        assert!(
            elements.noted.capacity() * size_of::<Range<u32>>() <= 8 << 10,
            "{}",
            elements.noted.capacity()
        );
    }

    #[test]
    fn without_an_end_there_are_no_elements() {
        for list in [
            "[",
            "[1",
            "[{}",
            "[\"]",
            "[{]}]",
            "[{\"a\":[1}]",
            "[}]",
            "[1}]",
            "[[}]",
            "[\"\\\"]",
            "[{\"a\":\"}]",
            "[,",
        ] {
            assert_eq!(elements(list), None, "{list}");
        }
    }

    #[test]
    fn brackets_of_any_depth_must_match() {
        for depth in [1, 63, 64, 65, 127, 128, 129, 1000] {
            let open: String = (0..depth).map(|n| if n % 3 == 0 { '{' } else { '[' }).collect();
            let close: String =
                open.chars().rev().map(|c| if c == '{' { '}' } else { ']' }).collect();
            let nested = format!("[{open}{close}]");
            assert_eq!(elements(&nested), Some(vec![&nested[1..nested.len() - 1]]), "{depth}");
            for (at, bracket) in close.char_indices() {
                let mut wrong = close.clone();
                wrong.replace_range(at..=at, if bracket == '}' { "]" } else { "}" });
                assert_eq!(elements(&format!("[{open}{wrong}]")), None, "{depth} {at}");
            }
        }
    }
}
