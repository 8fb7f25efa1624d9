//! Where events go that can never be written: a file, the log (reason only), or nowhere.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use serde::Serialize;

use crate::config::DeadLetter;
use crate::logging::UserIds;

/// One line of the dead-letter file.
#[derive(Debug, Serialize)]
pub struct Letter {
    /// When it was put here, RFC 3339.
    at: jiff::Timestamp,
    reason: &'static str,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The original text, when it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_base64: Option<String>,
}

impl Letter {
    /// `reason` and `source` are the words of the metrics; `key` is the Redis key, if there was one.
    pub fn new(reason: &'static str, source: &'static str, key: Option<&[u8]>, event: &[u8]) -> Self {
        let text = str::from_utf8(event).ok().map(str::to_owned);
        Self {
            at: jiff::Timestamp::now(),
            reason,
            source,
            key: key.map(|key| String::from_utf8_lossy(key).into_owned()),
            event_base64: text.is_none().then(|| base64::engine::general_purpose::STANDARD.encode(event)),
            event: text,
        }
    }
}

/// Why a letter could not be kept; its event is not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    #[error("the dead-letter file {path} has reached dead_letter.max_size; move it away or raise the limit")]
    Full { path: PathBuf },
    #[error("cannot write to the dead-letter file {path}: {error}")]
    Write { path: PathBuf, error: io::Error },
}

/// At most one log line in this time speaks of new letters.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// A shared handle; letters of all lanes and sources go through it.
#[derive(Clone)]
pub struct DeadLetters(Arc<Shared>);

struct Shared {
    kind: Kind,
    user_ids: UserIds,
    notice: Mutex<Notice>,
}

/// Letters that no log line has spoken of yet.
#[derive(Default)]
struct Notice {
    last: Option<Instant>,
    untold: usize,
}

enum Kind {
    File(Mutex<LetterFile>),
    Log,
    Discard,
}

impl DeadLetters {
    /// Opens the file, creating it (0600) and its directory (0700). `user_ids` says how keys appear in logs.
    ///
    /// # Errors
    /// The file cannot be opened for appending; the message names the ways out.
    pub fn open(config: &DeadLetter, user_ids: UserIds) -> Result<Self, String> {
        let kind = match config {
            DeadLetter::File { path, max_size } => {
                let file = LetterFile::open(path, *max_size).map_err(|error| {
                    format!(
                        "cannot open the dead-letter file {}: {error}; set data_dir or dead_letter.path to a place this user may \
                         write to, or dead_letter.to to \"log\" or \"discard\"",
                        path.display()
                    )
                })?;
                Kind::File(Mutex::new(file))
            }
            DeadLetter::Log => {
                tracing::warn!("dead letters are only logged: events that Redis refuses are lost (dead_letter.to = \"log\")");
                Kind::Log
            }
            DeadLetter::Discard => {
                tracing::warn!("dead letters are discarded: events that Redis refuses are lost (dead_letter.to = \"discard\")");
                Kind::Discard
            }
        };
        Ok(Self(Arc::new(Shared { kind, user_ids, notice: Mutex::default() })))
    }

    /// Returns when the letters are durable (file), or at once (log, discard).
    ///
    /// # Errors
    /// None of them may be acknowledged.
    pub async fn write(&self, letters: Vec<Letter>) -> Result<(), DeadLetterError> {
        self.0.notice(&letters);
        if !matches!(self.0.kind, Kind::File(_)) {
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        let written = tokio::task::spawn_blocking(move || match &shared.kind {
            Kind::File(file) => lock(file).append(&letters),
            Kind::Log | Kind::Discard => Ok(()),
        });
        let result = written.await.expect("writing letters does not panic");
        if let Err(error) = &result {
            tracing::error!("{error}; the events are not acknowledged");
        }
        result
    }
}

impl Shared {
    /// Logs one of the letters and how many there were, unless that was done a moment ago.
    fn notice(&self, letters: &[Letter]) {
        let Some(letter) = letters.last().filter(|_| !matches!(self.kind, Kind::Discard)) else { return };
        let mut notice = lock(&self.notice);
        notice.untold += letters.len();
        if notice.last.is_none_or(|last| last.elapsed() >= NOTICE_EVERY) {
            let key = letter.key.as_ref().map(|key| self.user_ids.show(key.as_bytes()).to_string());
            let count = std::mem::take(&mut notice.untold);
            tracing::warn!(count, reason = letter.reason, source = letter.source, key, "events that can never be written");
            notice.last = Some(Instant::now());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct LetterFile {
    file: File,
    path: PathBuf,
    size: u64,
    max_size: u64,
}

impl LetterFile {
    fn open(path: &Path, max_size: u64) -> io::Result<Self> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        // A link could lead the events of others to a place of someone's choice.
        let file = OpenOptions::new().create(true).append(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file, path: path.to_owned(), size, max_size })
    }

    fn append(&mut self, letters: &[Letter]) -> Result<(), DeadLetterError> {
        let mut lines = Vec::new();
        for letter in letters {
            serde_json::to_writer(&mut lines, letter).expect("a letter is plain data");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn user_ids() -> UserIds {
        UserIds::new(false)
    }

    fn letter(text: &[u8]) -> Letter {
        Letter::new("wrong_type", "http", Some(b"user:1"), text)
    }

    #[tokio::test]
    async fn letters_are_lines_of_json_in_a_private_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/letters.ndjson");
        let letters = DeadLetters::open(&DeadLetter::File { path: path.clone(), max_size: 1 << 20 }, user_ids()).unwrap();
        letters.write(vec![letter(b"{\"a\":\"b\\nc\"}"), letter(b"\xff")]).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["event"], "{\"a\":\"b\\nc\"}");
        assert_eq!(lines[0]["key"], "user:1");
        assert_eq!(lines[0]["reason"], "wrong_type");
        assert_eq!(lines[1]["event_base64"], "/w==");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_full_file_keeps_nothing_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        let letters = DeadLetters::open(&DeadLetter::File { path: path.clone(), max_size: 300 }, user_ids()).unwrap();
        letters.write(vec![letter(b"{}")]).await.unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = letters.write(vec![letter(b"{}"), letter(b"{}")]).await.unwrap_err();
        assert!(matches!(error, DeadLetterError::Full { .. }));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        let error = DeadLetters::open(&DeadLetter::File { path, max_size: 300 }, user_ids()).err().unwrap();
        assert!(error.contains("dead_letter.path"), "{error}");
    }
}
