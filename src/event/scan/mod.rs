//! Scans JSON text in one pass: checks that it is valid, exactly as `serde_json` does, and finds
//! its parts. Any depth; nothing recurses.

mod stops;

use std::borrow::Cow;
use std::ops::Range;

use self::stops::Stops;
use super::json;
use super::open_brackets::OpenBrackets;

/// A place in JSON text. Methods that return an `Option` return `None` where the text is not valid.
///
/// Small methods are inlined into loops over a copy, which the compiler keeps in registers.
#[derive(Clone, Copy)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Those from `at` on, and perhaps some before it.
    stops: Stops<'a>,
}

impl<'a> Scanner<'a> {
    /// The start of `text`.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, stops: Stops::new(text.as_bytes()) }
    }

    /// The next byte that is not white space; 0 at the end. Moves there.
    #[inline(always)]
    pub(super) fn peek(&mut self) -> u8 {
        let byte = self.byte();
        if byte > b' ' {
            return byte;
        }
        self.at = after_blanks(self.text, self.at);
        self.byte()
    }

    /// Whether nothing but white space follows.
    pub(super) fn is_end(&mut self) -> bool {
        self.peek();
        self.at == self.text.len()
    }

    /// Moves into the object or list that opens here; whether it has a member or an element.
    /// `close` is the bracket that ends it.
    #[inline(always)]
    pub(super) fn open(&mut self, close: u8) -> bool {
        self.at += 1;
        let more = self.peek() != close;
        self.at += usize::from(!more);
        more
    }

    /// Moves from a member or an element to the next one, or past the bracket `close`; whether
    /// there is a next one.
    #[inline(always)]
    pub(super) fn more(&mut self, close: u8) -> Option<bool> {
        let byte = self.peek();
        self.at += 1;
        match byte {
            b',' => Some(true),
            _ if byte == close => Some(false),
            _ => None,
        }
    }

    /// The name of a member, as WTF-8; moves to its value.
    #[inline(always)]
    pub(super) fn name(&mut self) -> Option<Cow<'a, [u8]>> {
        self.peek();
        let name = self.string()?;
        self.skip_colon()?;
        Some(name)
    }

    /// The string that opens here, as WTF-8; borrowed when it has no escapes. Moves past it.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        let start = self.at;
        Some(match self.skip_string()? {
            false => Cow::Borrowed(&self.text.as_bytes()[start + 1..self.at - 1]),
            true => json::decoded(&self.text[start..self.at]),
        })
    }

    /// The raw text of the number, `true`, `false` or `null` that begins here; moves past it.
    #[inline(always)]
    pub(super) fn scalar(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.skip_scalar(self.byte())?;
        Some(&self.text.as_bytes()[start..self.at])
    }

    /// The raw text of the value that follows; moves past it.
    #[inline(always)]
    pub(super) fn value(&mut self) -> Option<&'a str> {
        Some(&self.text[self.place()?])
    }

    /// The place of the value that follows; moves past it.
    #[inline(always)]
    pub(super) fn place(&mut self) -> Option<Range<usize>> {
        self.peek();
        let start = self.at;
        self.skip_value()?;
        Some(start..self.at)
    }

    /// Moves past the value that follows.
    #[inline(always)]
    pub(super) fn skip_value(&mut self) -> Option<()> {
        let mut open = OpenBrackets::default();
        loop {
            let byte = self.peek();
            if byte == b'"' {
                self.skip_string()?;
            } else if byte == b'{' || byte == b'[' {
                let in_object = byte == b'{';
                // A bracket and the one that closes it are two apart.
                if self.open(byte + 2) {
                    open.push(in_object);
                    if in_object {
                        self.skip_name()?;
                    }
                    continue;
                }
            } else {
                self.skip_scalar(byte)?;
            }
            loop {
                let Some(in_object) = open.last() else { return Some(()) };
                if self.more(if in_object { b'}' } else { b']' })? {
                    if in_object {
                        self.skip_name()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Moves past the number, `true`, `false` or `null` that begins here with `byte`.
    #[inline(always)]
    fn skip_scalar(&mut self, byte: u8) -> Option<()> {
        match byte {
            b't' => self.skip_word(b"true"),
            b'f' => self.skip_word(b"false"),
            b'n' => self.skip_word(b"null"),
            _ => self.skip_number(),
        }
    }

    /// Moves past the string that opens here; whether it has escapes.
    #[inline(always)]
    fn skip_string(&mut self) -> Option<bool> {
        if self.byte() != b'"' {
            return None;
        }
        while self.stops.next() < self.at {}
        let stop = self.stops.next();
        self.at = stop;
        let has_escapes = self.byte() == b'\\';
        if has_escapes {
            self.at = end_of_escaped(self.text.as_bytes(), stop)?;
        }
        let is_closed = self.byte() == b'"';
        self.at += 1;
        is_closed.then_some(has_escapes)
    }

    #[inline(always)]
    fn skip_colon(&mut self) -> Option<()> {
        let is_colon = self.peek() == b':';
        self.at += 1;
        is_colon.then_some(())
    }

    #[inline(always)]
    fn skip_name(&mut self) -> Option<()> {
        self.peek();
        self.skip_string()?;
        self.skip_colon()
    }

    /// Moves past the number that begins here.
    #[inline(always)]
    fn skip_number(&mut self) -> Option<()> {
        self.at += usize::from(self.byte() == b'-');
        match self.byte() {
            b'0' => self.at += 1,
            _ => self.skip_digits()?,
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.skip_digits()?;
        }
        if let b'e' | b'E' = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.skip_digits()?;
        }
        Some(())
    }

    /// Moves past at least one digit.
    #[inline(always)]
    fn skip_digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    #[inline(always)]
    fn skip_word(&mut self, word: &[u8]) -> Option<()> {
        let follows = self.text.as_bytes()[self.at..].starts_with(word);
        self.at += word.len();
        follows.then_some(())
    }

    /// The byte here; 0 at the end.
    #[inline(always)]
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }
}

/// The place of the first byte from `at` on that is not white space.
#[inline(never)]
fn after_blanks(text: &str, mut at: usize) -> usize {
    json::peek(text.as_bytes(), &mut at);
    at
}

/// The place of the quote that closes the string in which `at` is a backslash, or of the first
/// control character in it.
#[cold]
fn end_of_escaped(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += match *text.get(at)? {
            b'\\' => match *text.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                b'u' if text.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
                _ => return None,
            },
            b'"' | 0..b' ' => return Some(at),
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests;
