//! What a line of a file holds: an event, a dead letter or an object of an archive. Pure.

use std::borrow::Cow;

use super::archive_line;
use super::letter_line::{KeptEvent, LetterLine, letter};

/// How the lines of files are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LineFormat {
    /// Each line by what it holds.
    #[default]
    Auto,
    /// Events, lists and batches of events.
    Events,
    /// Dead letters only.
    DeadLetters,
    /// Lines of RudderStack's archive, and events, of which Segment's archive consists.
    Archive,
}

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LineContent<'a> {
    /// The line itself: an event, or a list or batch of events.
    Events,
    /// A dead letter.
    Letter(KeptEvent<'a>),
    /// Events within the line.
    Payload(Cow<'a, [u8]>),
    /// Not what the format asks for, or a dead letter without a readable event.
    Unreadable,
}

impl LineFormat {
    /// What `line`, which is not blank, holds. Looks at no more than the first name of a line that
    /// is a plain event.
    pub(super) fn read(self, line: &[u8]) -> LineContent<'_> {
        match self {
            Self::Events => LineContent::Events,
            Self::DeadLetters => match letter(line) {
                LetterLine::Letter(kept) => LineContent::Letter(kept),
                LetterLine::Unreadable | LetterLine::Other => LineContent::Unreadable,
            },
            Self::Archive => archived(line),
            Self::Auto => match first_name(line) {
                // Every writer of JSON that keeps the order of names, or sorts them, writes this
                // name of a dead letter first.
                Some(b"at") => match letter(line) {
                    LetterLine::Letter(kept) => LineContent::Letter(kept),
                    LetterLine::Unreadable => LineContent::Unreadable,
                    LetterLine::Other => LineContent::Events,
                },
                Some(b"userId" | b"payload" | b"createdAt" | b"messageId")
                    if memchr::memmem::find(line, b"\"payload\"").is_some() =>
                {
                    archived(line)
                }
                _ => LineContent::Events,
            },
        }
    }
}

fn archived(line: &[u8]) -> LineContent<'_> {
    archive_line::payload(line).map_or(LineContent::Events, LineContent::Payload)
}

/// The first name of an object, unless it is written with escapes.
fn first_name(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_start();
    let name = line.strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', name)?;
    (name[end] == b'"').then_some(&name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTER: &str =
        r#"{"at":"2026-11-29T06:00:00Z","reason":"refused","source":"file","event":"{}"}"#;
    const ARCHIVED: &str = r#"{"userId":"u","payload":{},"createdAt":"x","messageId":"m"}"#;
    const EVENT: &str = r#"{"userId":"u","type":"identify","traits":{"payload":1}}"#;

    /// `e`vents, `l`etter, `p`ayload or `u`nreadable.
    fn kind(format: LineFormat, line: &str) -> char {
        match format.read(line.as_bytes()) {
            LineContent::Events => 'e',
            LineContent::Letter(_) => 'l',
            LineContent::Payload(_) => 'p',
            LineContent::Unreadable => 'u',
        }
    }

    #[test]
    fn each_format_reads_its_lines() {
        use LineFormat::{Archive, Auto, DeadLetters, Events};
        let broken = LETTER.replace("event", "evnt");
        for (line, expected) in [
            (LETTER, "lele"),
            (ARCHIVED, "peup"),
            (EVENT, "eeue"),
            ("[{},{}]", "eeue"),
            ("{broken", "eeue"),
            (&format!(" \u{feff}{LETTER}"), "eeue"),
            (&format!(" {LETTER}"), "lele"),
            (&broken, "ueue"),
            (r#"{"at":5,"type":"identify"}"#, "eeue"),
        ] {
            let found: String =
                [Auto, Events, DeadLetters, Archive].map(|f| kind(f, line)).iter().collect();
            assert_eq!(found, expected, "{line}");
        }
    }
}
