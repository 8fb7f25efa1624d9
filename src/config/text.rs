//! Trimming as JavaScript does, for prefixes that must equal RudderStack's.

/// JavaScript's white space: unlike Rust's it holds U+FEFF and not U+0085.
fn is_js_space(c: char) -> bool {
    matches!(
        c,
        '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}

/// `String.prototype.trim`.
pub(super) fn trim_js(text: &str) -> &str {
    text.trim_matches(is_js_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_what_javascript_trims() {
        assert_eq!(trim_js("\u{feff}\u{a0} a b\u{2003}\u{3000}\r\n"), "a b");
        assert_eq!(trim_js("\u{85}a\u{200b}"), "\u{85}a\u{200b}");
        assert_eq!(trim_js(" \u{feff} "), "");
    }
}
