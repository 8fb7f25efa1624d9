//! Makes text from clients and servers safe for a terminal and a log line. Pure.

use std::fmt::Write;

/// Characters of a text that are shown, at most.
const LONGEST: usize = 200;

/// `text` as one line of at most 200 characters. Control characters, and characters that change the
/// direction of writing, are escaped like `\u{1b}`.
pub fn printable(text: &str) -> String {
    let mut shown = escaped(&text.chars().take(LONGEST).collect::<String>());
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// The same at its full length.
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        match c {
            _ if c.is_control() || is_misleading(c) => {
                write!(shown, "{}", c.escape_unicode()).expect("writing to a string")
            }
            _ => shown.push(c),
        }
        shown
    })
}

/// JSON of one line with the same meaning, whose texts are safe to print.
pub fn escaped_json(line: &str) -> String {
    line.chars().fold(String::with_capacity(line.len()), |mut shown, c| {
        match c {
            // These characters have one UTF-16 unit each.
            _ if c.is_control() || is_misleading(c) => {
                write!(shown, "\\u{:04x}", u32::from(c)).expect("writing to a string")
            }
            _ => shown.push(c),
        }
        shown
    })
}

/// True for line and paragraph separators, and for invisible characters that change how text looks.
const fn is_misleading(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_a_terminal_obeys_are_escaped() {
        assert_eq!(printable("7.0.15 – für alle"), "7.0.15 – für alle");
        assert_eq!(
            printable("a\u{1b}[2Jb\r\n\u{9b}\u{202e}c"),
            "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}\\u{202e}c"
        );
        assert_eq!(printable(&"x".repeat(300)), format!("{}…", "x".repeat(200)));
        assert_eq!(escaped(&"x".repeat(300)).len(), 300);
    }
}
