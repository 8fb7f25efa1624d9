//! `JSON.parse` for text that is known to be valid JSON. Lone surrogates and numbers beyond a
//! double, which `serde_json` refuses, have a value here.

use std::borrow::Cow;

use super::value::{ObjectBuilder, Value};
use crate::event::Limits;
use crate::event::json;

/// A value is deeper than allowed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::event) struct TooDeep;

/// Parses one valid JSON value; its own members or elements are level 1.
pub(in crate::event) fn parse(text: &str, max_depth: usize) -> Result<Value<'_>, TooDeep> {
    Parser { text, at: 0, max_depth: max_depth.min(Limits::DEEPEST) }.value(0)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    max_depth: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, level: usize) -> Result<Value<'a>, TooDeep> {
        if level > self.max_depth {
            return Err(TooDeep);
        }
        Ok(match self.peek() {
            b'{' => return self.object(level),
            b'[' => return self.array(level),
            b'"' => Value::String(self.string()),
            _ => match json::scalar(self.text, &mut self.at) {
                "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                number => Value::Number(number.parse().unwrap_or(f64::NAN)),
            },
        })
    }

    fn object(&mut self, level: usize) -> Result<Value<'a>, TooDeep> {
        let mut members = ObjectBuilder::default();
        self.at += 1;
        while self.more(b'}') {
            let name = self.string();
            self.peek();
            self.at += 1;
            members.set(name, self.value(level + 1)?);
        }
        Ok(members.finish())
    }

    fn array(&mut self, level: usize) -> Result<Value<'a>, TooDeep> {
        let mut elements = Vec::new();
        self.at += 1;
        while self.more(b']') {
            elements.push(self.value(level + 1)?);
        }
        Ok(Value::Array(elements))
    }

    /// Steps over a comma to the next member or element, or over the closing bracket.
    fn more(&mut self, close: u8) -> bool {
        if self.peek() == b',' {
            self.at += 1;
        }
        let more = self.peek() != close;
        self.at += usize::from(!more);
        more
    }

    fn string(&mut self) -> Cow<'a, [u8]> {
        json::decoded(json::string(self.text, &mut self.at))
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> u8 {
        json::peek(self.text.as_bytes(), &mut self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_tree_fits_a_small_stack() {
        let build = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let on_small_stack = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
            assert!(parse(&build(1000), 5000).is_ok());
            assert_eq!(parse(&build(1001), 5000), Err(TooDeep));
            assert!(parse(&format!("{}{}", "[".repeat(1001), "]".repeat(1001)), 1000).is_ok());
            assert_eq!(
                parse(&format!("{}{}", "[".repeat(1002), "]".repeat(1002)), 1000),
                Err(TooDeep)
            );
        });
        on_small_stack.unwrap().join().unwrap();
    }

    #[test]
    fn white_space_and_escapes_are_allowed_everywhere() {
        let value =
            parse(" { \"a\\n\" : [ 1e400 , \"\\ud800\" , { } ] , \"b\" : null } ", 9).unwrap();
        let array = Value::Array(vec![
            Value::Number(f64::INFINITY),
            Value::String(Cow::Borrowed(b"\xed\xa0\x80")),
            Value::Object(Vec::new()),
        ]);
        assert_eq!(
            value,
            Value::Object(vec![(Cow::Borrowed(b"a\n"), array), (Cow::Borrowed(b"b"), Value::Null)])
        );
    }
}
