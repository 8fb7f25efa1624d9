//! Strings: white space, quoting, and lone surrogates. A string is held as WTF-8: UTF-8 in which a
//! lone surrogate is encoded like any other code point (`ED A0..BF 80..BF`), which is what
//! `serde_json` yields for a string read as bytes.

use std::borrow::Cow;

/// Trims the white space that JavaScript's `trim` removes. `str::trim` keeps U+FEFF and removes
/// U+0085, unlike JavaScript.
pub fn trim_js(s: &str) -> &str {
    s.trim_matches(|c: char| c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}'))
}

/// The text as UTF-8, with U+FFFD for each lone surrogate.
pub(in crate::event) fn lossy(wtf8: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(wtf8) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut bytes = wtf8.to_vec();
            for at in 0..bytes.len() {
                if surrogate(&bytes[at..]).is_some() {
                    bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
                }
            }
            Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
        }
    }
}

/// Appends `wtf8` as `JSON.stringify` quotes it: it escapes the quote, the backslash,
/// U+0000..U+001F and lone surrogates.
pub(in crate::event) fn push_quoted(out: &mut Vec<u8>, wtf8: &[u8]) {
    out.push(b'"');
    let mut rest = wtf8;
    while let Some(at) =
        rest.iter().position(|&byte| byte < b' ' || matches!(byte, b'"' | b'\\' | 0xed))
    {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        rest = &special[1..];
        match special[0] {
            0xed => match surrogate(special) {
                Some(unit) => {
                    push_unit(out, unit);
                    rest = &special[3..];
                }
                None => out.push(0xed),
            },
            b'\x08' => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\x0c' => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            control if control < b' ' => push_unit(out, u16::from(control)),
            quote_or_backslash => out.extend_from_slice(&[b'\\', quote_or_backslash]),
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// The lone surrogate at the start of `wtf8`.
fn surrogate(wtf8: &[u8]) -> Option<u16> {
    match *wtf8 {
        [0xed, second @ 0xa0..=0xbf, third, ..] => {
            Some(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f))
        }
        _ => None,
    }
}

fn push_unit(out: &mut Vec<u8>, unit: u16) {
    let digit = |shift: u16| b"0123456789abcdef"[usize::from(unit >> shift & 15)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_the_white_space_of_javascript_and_nothing_else() {
        let blanks = concat!(
            "\t\n\u{b}\u{c}\r \u{a0}\u{1680}\u{2000}\u{200a}",
            "\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}"
        );
        assert_eq!(trim_js(&format!("{blanks}a b{blanks}")), "a b");
        for kept in ["\u{85}", "\u{200b}", "\u{180e}", "\u{1}"] {
            assert_eq!(trim_js(kept), kept);
        }
    }

    #[test]
    fn a_lone_surrogate_is_one_replacement_character_or_one_escape() {
        let wtf8 =
            [b"a".as_slice(), b"\xed\xa0\x80", b"\xed\xbf\xbf", "\u{d7ff}\u{1f600}".as_bytes()]
                .concat();
        assert_eq!(lossy(&wtf8), "a\u{fffd}\u{fffd}\u{d7ff}\u{1f600}");
        let mut out = Vec::new();
        push_quoted(&mut out, &wtf8);
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\ud800\\udfff\u{d7ff}\u{1f600}\"");
    }
}
