//! Texts of remotes, made fit for a terminal and a line of a log. Pure.

use std::fmt::Write;

/// Characters of a text that are shown.
const LONGEST: usize = 200;

/// One line of at most 200 characters: control characters and those that turn the direction of
/// writing are escaped as `\u{1b}`.
pub fn printable(text: &str) -> String {
    let mut shown = escaped(&text.chars().take(LONGEST).collect::<String>());
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// The same at its whole length.
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        match c {
            _ if c.is_control() || turns(c) => {
                write!(shown, "{}", c.escape_unicode()).expect("writing to a string")
            }
            _ => shown.push(c),
        }
        shown
    })
}

/// Line and paragraph separators, and marks that make what follows look like something else.
const fn turns(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(printable("7.0.15 – für alle"), "7.0.15 – für alle");
        assert_eq!(
            printable("a\u{1b}[2Jb\r\n\u{9b}\u{202e}c"),
            "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}\\u{202e}c"
        );
        assert_eq!(printable(&"x".repeat(300)), format!("{}…", "x".repeat(200)));
        assert_eq!(escaped(&"x".repeat(300)).len(), 300);
    }
}
