//! The text of a `userId`: what lodash's `toString` returns for any JSON value, and what a template
//! literal makes of it.

use super::js::{lossy, push_number, trim_js};
use super::json;

/// Appends the text of a `userId` (raw, valid JSON text). Returns false when the text is blank:
/// only white space, or no text at all for an object that hides its `toString` (the original fails
/// then).
pub(super) fn push_user_id(out: &mut Vec<u8>, raw: &str) -> bool {
    if let Some(text) = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'))
        && !text.contains('\\')
    {
        out.extend_from_slice(text.as_bytes());
        return !trim_js(text).is_empty();
    }
    let start = out.len();
    let has_text = json::first(raw) != b'n' && push_text(out, raw, TextStyle::Lodash);
    has_text && std::str::from_utf8(&out[start..]).is_ok_and(|text| !trim_js(text).is_empty())
}

/// How JavaScript makes text of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextStyle {
    /// Lodash's `toString`.
    Lodash,
    /// A template literal: `-0` has no sign, and a null in an array has no text.
    Template,
}

/// Appends the text of any value (raw, valid JSON text). Returns false for an object that hides its
/// `toString`, at any depth of arrays: JavaScript fails then.
pub(super) fn push_text(out: &mut Vec<u8>, raw: &str, style: TextStyle) -> bool {
    match json::first(raw) {
        b'[' | b'{' => push_nested(out, raw, style),
        _ => {
            push_scalar(out, raw, &mut 0, style);
            true
        }
    }
}

/// The text of a `userId`, from `raw`, which is valid JSON text; `None`: it is blank.
pub fn user_id_text(raw: &str) -> Option<String> {
    let mut text = Vec::new();
    push_user_id(&mut text, raw).then(|| String::from_utf8(text).ok()).flatten()
}

/// Appends the elements of arrays at any depth, separated by commas: that is the text without its
/// brackets. Does not recurse, because the depth of a `userId` has no limit.
fn push_nested(out: &mut Vec<u8>, raw: &str, style: TextStyle) -> bool {
    let mut at = 0;
    loop {
        match json::peek(raw.as_bytes(), &mut at) {
            0 => return true,
            b'[' | b']' => at += 1,
            b',' => {
                out.push(b',');
                at += 1;
            }
            b'{' => {
                if hides_to_string(raw, &mut at) {
                    return false;
                }
                out.extend_from_slice(b"[object Object]");
            }
            b'n' if style == TextStyle::Template => _ = json::scalar(raw, &mut at),
            _ => push_scalar(out, raw, &mut at, style),
        }
    }
}

fn push_scalar(out: &mut Vec<u8>, raw: &str, at: &mut usize, style: TextStyle) {
    if json::peek(raw.as_bytes(), at) == b'"' {
        out.extend_from_slice(lossy(&json::decoded(json::string(raw, at))).as_bytes());
        return;
    }
    let scalar = json::scalar(raw, at);
    match scalar.parse::<f64>() {
        // The sum with zero has no sign.
        Ok(number) if style == TextStyle::Template => push_number(out, number + 0.0),
        Ok(number) => push_number(out, number),
        Err(_) => out.extend_from_slice(scalar.as_bytes()),
    }
}

/// Moves `at` past the object there; true when one of its own members is named `toString`.
fn hides_to_string(raw: &str, at: &mut usize) -> bool {
    let (mut depth, mut found, mut name) = (0, false, "");
    loop {
        match json::peek(raw.as_bytes(), at) {
            b'"' => {
                name = json::string(raw, at);
                continue;
            }
            b':' => found |= depth == 1 && *json::decoded(name) == *b"toString",
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        *at += 1;
        if depth == 0 {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_json_value_has_the_text_that_javascript_gives_it() {
        for (raw, text) in [
            (r#""a""#, "a"),
            (r#"" \ud800\u0041 ""#, " \u{fffd}A "),
            ("7.0", "7"),
            ("-0", "-0"),
            ("1e400", "Infinity"),
            ("false", "false"),
            (r#"[1,[null,-0,["x","y"]],[]]"#, "1,null,-0,x,y,"),
            (r#"["",""]"#, ","),
            (r#" [ {"a":{"toString":"[,\"]"}} , "," ] "#, "[object Object],,"),
            ("{}", "[object Object]"),
        ] {
            let mut out = b"user:".to_vec();
            assert!(push_user_id(&mut out, raw), "{raw}");
            assert_eq!(String::from_utf8(out).unwrap(), format!("user:{text}"));
            assert_eq!(user_id_text(raw).unwrap(), text);
        }
    }

    #[test]
    fn a_template_literal_knows_no_negative_zero_and_no_null_in_arrays() {
        for (raw, text) in [
            ("-0", "0"),
            ("-0.0e5", "0"),
            ("[-0]", "0"),
            ("[null]", ""),
            ("[1,[null,-7,[null]],null]", "1,,-7,,"),
            ("null", "null"),
            ("1e400", "Infinity"),
            (r#""-0""#, "-0"),
            (r#"["null",{},true]"#, "null,[object Object],true"),
        ] {
            let mut out = Vec::new();
            assert!(push_text(&mut out, raw, TextStyle::Template), "{raw}");
            assert_eq!(String::from_utf8(out).unwrap(), text, "{raw}");
        }
        assert!(!push_text(&mut Vec::new(), r#"{"toString":1}"#, TextStyle::Template));
    }

    #[test]
    fn blank_is_white_space_or_no_text_at_all() {
        for raw in [
            "null",
            r#""""#,
            r#""\u00a0 \ufeff\n""#,
            "[]",
            r#"[[" "]]"#,
            r#"{"toString":1}"#,
            r#"[{"to\u0053tring":1}]"#,
        ] {
            assert!(!push_user_id(&mut Vec::new(), raw), "{raw}");
            assert_eq!(user_id_text(raw), None, "{raw}");
        }
    }

    #[test]
    fn depth_is_no_danger() {
        let raw = "[".repeat(100_000) + "1" + &"]".repeat(100_000);
        let mut out = Vec::new();
        assert!(push_user_id(&mut out, &raw));
        assert_eq!(out, b"1");
    }
}
