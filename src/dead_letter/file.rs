//! Dead letters as lines of a file.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use serde::Serialize;

use super::{DeadLetterError, Letter};

pub(super) struct LetterFile {
    file: File,
    path: PathBuf,
    size: u64,
    max_size: u64,
}

impl LetterFile {
    /// Opens the file for appending, creating it (0600) and its directory (0700).
    pub(super) fn open(path: &Path, max_size: u64) -> io::Result<Self> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        // A link could lead the events of others to a place of someone's choice.
        let file = OpenOptions::new().create(true).append(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file, path: path.to_owned(), size, max_size })
    }

    /// Blocks until the letters are on disk; on an error the file is as it was before.
    pub(super) fn append(&mut self, letters: &[Letter]) -> Result<(), DeadLetterError> {
        let mut lines = Vec::new();
        for letter in letters {
            serde_json::to_writer(&mut lines, &Line::of(letter)).expect("a letter is plain data");
            lines.push(b'\n');
        }
        if self.size + lines.len() as u64 > self.max_size {
            return Err(DeadLetterError::Full { path: self.path.clone() });
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.size += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a line may stand there: cut it off, so that the next letter begins on its own line.
                let _ = self.file.set_len(self.size);
                Err(DeadLetterError::Write { path: self.path.clone(), error })
            }
        }
    }
}

/// The JSON of one letter.
#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339.
    at: jiff::Timestamp,
    reason: &'static str,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<std::borrow::Cow<'a, str>>,
    /// The original text, when it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_base64: Option<String>,
    #[serde(flatten)]
    place: Option<Place<'a>>,
}

/// Where a Kafka message stands.
#[derive(Serialize)]
struct Place<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
}

impl<'a> Line<'a> {
    fn of(letter: &'a Letter) -> Self {
        let event = str::from_utf8(&letter.event).ok();
        Self {
            at: letter.at,
            reason: letter.reason,
            source: letter.source,
            key: letter.key.as_deref().map(String::from_utf8_lossy),
            event,
            event_base64: event.is_none().then(|| base64::engine::general_purpose::STANDARD.encode(&letter.event)),
            place: letter.record.as_ref().map(|record| Place {
                topic: &record.topic,
                partition: record.partition,
                offset: record.offset,
                timestamp: record.timestamp,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Record;
    use super::*;

    fn letter(text: &[u8], record: Option<&Record>) -> Letter {
        Letter::new("wrong_type", "http", Some(b"user:1"), text, record)
    }

    #[test]
    fn letters_are_lines_of_json_in_a_private_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/letters.ndjson");
        let mut file = LetterFile::open(&path, 1 << 20).unwrap();
        file.append(&[letter(b"{\"a\":\"b\\nc\"}", None), letter(b"\xff", None)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["event"], "{\"a\":\"b\\nc\"}");
        assert_eq!(lines[0]["key"], "user:1");
        assert_eq!(lines[0]["reason"], "wrong_type");
        assert_eq!(lines[0].as_object().unwrap().len(), 5);
        assert_eq!(lines[1]["event_base64"], "/w==");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_says_where_a_kafka_message_stands() {
        let mut record = Record {
            topic: "events".into(),
            partition: 3,
            offset: 42,
            timestamp: Some(1_700_000_000_123),
            key: Some("u1".into()),
            headers: vec![("trace".to_owned(), Some("1".into()))],
        };
        let line = serde_json::to_value(Line::of(&letter(b"{}", Some(&record)))).unwrap();
        assert_eq!(line["topic"], "events");
        assert_eq!(line["partition"], 3);
        assert_eq!(line["offset"], 42);
        assert_eq!(line["timestamp"], 1_700_000_000_123_i64);
        assert_eq!(line["key"], "user:1");
        record.timestamp = None;
        let line = serde_json::to_value(Line::of(&letter(b"{}", Some(&record)))).unwrap();
        assert_eq!((&line["offset"], line.get("timestamp")), (&42.into(), None));
    }

    #[test]
    fn a_full_file_keeps_nothing_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        let mut file = LetterFile::open(&path, 300).unwrap();
        file.append(&[letter(b"{}", None)]).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = file.append(&[letter(b"{}", None), letter(b"{}", None)]).unwrap_err();
        assert!(matches!(error, DeadLetterError::Full { .. }));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
