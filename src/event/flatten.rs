//! Flattens traits on the common path: from the text into reused buffers, in one pass.
//!
//! JavaScript's order of members matters only when two members have the same path. So every path of
//! a leaf or an object is remembered, and a path that occurs twice in the same traits object is
//! left to [`super::literal`], as is everything else that is unusual: the caller then starts over
//! there.

use std::borrow::Cow;

use super::Limits;
use super::field_map::FieldMap;
use super::js::{is_printed, push_json_number, push_number, push_quoted};
use super::scan::Scanner;

/// Deeper traits are left to the literal path, whose recursion takes less stack.
const MAX_LEVEL: usize = 64;

/// Adds the fields of one traits object (raw, valid JSON text). `source` is the number of the
/// traits object in its event; `value` is scratch space. `None`: the traits are unusual; `fields`
/// is then incomplete and must be cleared.
pub(super) fn flatten(
    raw: &str,
    source: usize,
    limits: &Limits,
    value: &mut Vec<u8>,
    fields: &mut FieldMap,
) -> Option<()> {
    let max_level = limits.max_depth.min(MAX_LEVEL);
    let mut scanner = Scanner::new(raw);
    scanner.peek();
    let mut flattening = Flattening { scanner, value, fields, source, limits, max_level };
    flattening.object(None, 0)?;
    (flattening.fields.size() <= limits.max_update).then_some(())
}

/// The state while one traits object is flattened. Methods return `None` where it is unusual.
struct Flattening<'a, 'f> {
    scanner: Scanner<'a>,
    /// The value of a field that is being made.
    value: &'f mut Vec<u8>,
    fields: &'f mut FieldMap,
    source: usize,
    limits: &'f Limits,
    max_level: usize,
}

impl Flattening<'_, '_> {
    /// Reads the object here, whose path is at the position `path`; returns whether it has members.
    fn object(&mut self, path: Option<usize>, level: usize) -> Option<bool> {
        let mut scanner = self.scanner;
        let any = scanner.open(b'}');
        let mut more = any;
        while more {
            if level == self.max_level {
                return None;
            }
            let name = scanner.name()?;
            let at = self.enter(path, &usual(name)?)?;
            match scanner.peek() {
                b'"' => {
                    let text = scanner.string()?;
                    self.fields.set(at, &usual(text)?);
                }
                bracket @ (b'{' | b'[') => {
                    self.scanner = scanner;
                    if bracket == b'{' {
                        self.inner_object(at, level + 1)?;
                    } else {
                        self.outer_list(at, level + 1)?;
                    }
                    scanner = self.scanner;
                }
                _ => self.scalar(at, scanner.scalar()?)?,
            }
            more = scanner.more(b'}')?;
        }
        self.scanner = scanner;
        Some(any)
    }

    /// Reads the object here, which is the value of the path at the position `at`.
    fn inner_object(&mut self, at: usize, level: usize) -> Option<()> {
        if !self.object(Some(at), level)? {
            self.fields.unset(at);
        }
        Some(())
    }

    /// Reads the list here, which is the value of the path at the position `at`.
    fn outer_list(&mut self, at: usize, level: usize) -> Option<()> {
        self.value.clear();
        self.list(self.max_level.saturating_sub(level))?;
        self.fields.set(at, self.value);
        Some(())
    }

    /// Takes the number, `true`, `false` or `null` at the path at the position `at`.
    fn scalar(&mut self, at: usize, scalar: &[u8]) -> Option<()> {
        if scalar == b"null" {
            self.fields.set_null(at);
        } else if is_printed(scalar) {
            self.fields.set(at, scalar);
        } else {
            self.value.clear();
            push_number(self.value, number(scalar)?);
            self.fields.set(at, self.value);
        }
        Some(())
    }

    /// The position of a member's path.
    fn enter(&mut self, parent: Option<usize>, name: &[u8]) -> Option<usize> {
        let at = self.fields.enter_once(parent, name, self.source)?;
        let path = self.fields.path(at);
        let is_usual = path.len() <= self.limits.max_field_name
            && self.fields.len() <= self.limits.max_fields
            && self.fields.size() <= self.limits.max_update
            && path != b"__proto__";
        is_usual.then_some(at)
    }

    /// Appends the list here as `JSON.stringify` writes it; `levels` may follow below it. Objects
    /// are unusual, because their members may need another order.
    fn list(&mut self, levels: usize) -> Option<()> {
        self.value.push(b'[');
        let mut more = self.scanner.open(b']');
        while more {
            if levels == 0 || self.value.len() > self.limits.max_update {
                return None;
            }
            match self.scanner.peek() {
                b'"' => {
                    let text = self.scanner.string()?;
                    push_quoted(self.value, &usual(text)?);
                }
                b'[' => self.list(levels - 1)?,
                b'{' => return None,
                _ => {
                    let scalar = self.scanner.scalar()?;
                    if is_printed(scalar) {
                        self.value.extend_from_slice(scalar);
                    } else {
                        push_json_number(self.value, number(scalar)?);
                    }
                }
            }
            more = self.scanner.more(b']')?;
            if more {
                self.value.push(b',');
            }
        }
        self.value.push(b']');
        Some(())
    }
}

/// A string without lone surrogates.
fn usual(wtf8: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    match &wtf8 {
        // Text without escapes has none.
        Cow::Borrowed(_) => Some(wtf8),
        Cow::Owned(bytes) => std::str::from_utf8(bytes).is_ok().then_some(wtf8),
    }
}

/// A number that a double can hold.
fn number(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}
