//! Removes the letters of deleted users from the dead-letter file.
//!
//! A line is overwritten with blanks where it stands: no other line moves, so nothing of what other
//! processes append, move or copy meanwhile can be lost. `replay` skips blank lines.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use super::error::DeadLetterError;
use super::file::DeadLetterFile;
use super::line::LetterContent;
use crate::lock::lock;

/// How often the file is read again because another one got its path meanwhile.
const RETRIES: usize = 10;
/// Bytes that are read at a time.
const READ: usize = 1 << 20;

/// Whose letter a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterOwner {
    /// It is to be removed.
    Removed,
    /// It stays: it may be about a user whose letters are removed, and cannot be read.
    Unclear,
    /// It stays.
    Other,
}

/// What became of the letters of deleted users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PurgedLetters {
    /// Letters that were removed.
    pub removed: u64,
    /// Letters that stay because they cannot be read, and may be about such a user.
    pub left: u64,
    /// Dead letters go to a Kafka topic, which cannot be changed.
    pub in_topic: bool,
}

/// A line to be removed: where it begins, and its length without the line end.
struct FoundLine {
    at: u64,
    len: usize,
}

/// Blocks until the letters are removed. The lock is held for the last lines only: meanwhile this
/// and other processes write letters.
pub(super) fn purge(
    file: &Mutex<DeadLetterFile>,
    owner: &dyn Fn(&[u8]) -> LetterOwner,
) -> Result<PurgedLetters, DeadLetterError> {
    let path = lock(file).path().to_owned();
    let failed = |error| DeadLetterError::Write { path: path.clone(), error };
    for _ in 0..RETRIES {
        let Some(found) = open(&path).map_err(failed)? else {
            return Ok(PurgedLetters::default());
        };
        let mut search = LineSearch::new(owner);
        search.read(&found, false).map_err(failed)?;
        let blanked = lock(file).with_lock(Instant::now(), |locked| {
            let same = is_same(locked, &found)?;
            if same {
                search.read(&found, true)?;
                search.blank(&found)?;
            }
            Ok(same)
        })?;
        if blanked {
            return Ok(search.purged);
        }
    }
    Err(failed(io::Error::other("the path leads to another file again and again")))
}

/// Opens the file for reading, and for writing at any place; `None`: there is none.
fn open(path: &Path) -> io::Result<Option<File>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    match OpenOptions::new().read(true).write(true).custom_flags(flags).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_same(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// What was found of a file so far.
struct LineSearch<'a> {
    owner: &'a dyn Fn(&[u8]) -> LetterOwner,
    /// Where the next line begins.
    next: u64,
    found: Vec<FoundLine>,
    purged: PurgedLetters,
}

impl<'a> LineSearch<'a> {
    fn new(owner: &'a dyn Fn(&[u8]) -> LetterOwner) -> Self {
        Self { owner, next: 0, found: Vec::new(), purged: PurgedLetters::default() }
    }

    /// Reads on, to the end. The last line may lack its end, because a process is writing it; with
    /// `last` no process is, and it counts, too.
    fn read(&mut self, file: &File, last: bool) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(READ, file);
        reader.seek(SeekFrom::Start(self.next))?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let len = reader.read_until(b'\n', &mut line)?;
            if len == 0 || !(last || line.ends_with(b"\n")) {
                return Ok(());
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            self.judge(text);
            self.next += len as u64;
        }
    }

    fn judge(&mut self, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            return;
        }
        // Half a line that a process was removing when it was killed.
        let half_removed = line[0] == b' ' && LetterContent::of(line).is_none();
        match (self.owner)(line) {
            LetterOwner::Removed => self.purged.removed += 1,
            _ if half_removed => {}
            LetterOwner::Unclear => return self.purged.left += 1,
            LetterOwner::Other => return,
        }
        self.found.push(FoundLine { at: self.next, len: line.len() });
    }

    /// Overwrites what was found. A line that is not there any more, because another program cut
    /// the file off, is left out.
    fn blank(&self, file: &File) -> io::Result<()> {
        for line in &self.found {
            let mut text = vec![0; line.len];
            match file.read_exact_at(&mut text, line.at) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                read => read?,
            }
            let half_removed = text.first() == Some(&b' ');
            if half_removed || (self.owner)(&text) == LetterOwner::Removed {
                file.write_all_at(&vec![b' '; line.len], line.at)?;
            }
        }
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letter::letter::Letter;
    use crate::outcome::{DeadReason, Source};

    /// Letters that hold an `x` are removed, those that hold a `?` are unclear.
    fn owner(line: &[u8]) -> LetterOwner {
        let event = LetterContent::of(line).map(|letter| letter.event().into_owned());
        match event.unwrap_or_else(|| line.to_vec()) {
            event if event.contains(&b'x') => LetterOwner::Removed,
            event if event.contains(&b'?') => LetterOwner::Unclear,
            _ => LetterOwner::Other,
        }
    }

    fn append(file: &Mutex<DeadLetterFile>, event: &str) {
        let letter = Letter::new(DeadReason::Refused, Source::Http, None, event.as_bytes(), None);
        lock(file).append(&[letter], Instant::now()).unwrap();
    }

    fn events(path: &Path) -> Vec<String> {
        let text = std::fs::read(path).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        lines
            .map(|line| {
                let read = LetterContent::of(line);
                let event = read.map_or(line.to_vec(), |letter| letter.event().into_owned());
                String::from_utf8(event).unwrap()
            })
            .collect()
    }

    #[test]
    fn letters_are_removed_and_no_other_byte_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        let file = Mutex::new(DeadLetterFile::open(&path, 1 << 20).unwrap());
        assert_eq!(purge(&file, &owner).unwrap(), PurgedLetters::default());
        for event in ["a", "x1", "b?", "x2", "c"] {
            append(&file, event);
        }
        let before = std::fs::read(&path).unwrap();
        let purged = purge(&file, &owner).unwrap();
        assert_eq!((purged.removed, purged.left), (2, 1));
        assert_eq!(events(&path), ["a", "b?", "c"]);
        let after = std::fs::read(&path).unwrap();
        assert_eq!(before.len(), after.len());
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
        assert!(changed.clone().all(|(_, after)| *after == b' ') && changed.count() > 100);
        append(&file, "d");
        assert_eq!(purge(&file, &owner).unwrap(), PurgedLetters { removed: 0, ..purged });
        assert_eq!(events(&path), ["a", "b?", "c", "d"]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(purge(&file, &owner).unwrap(), PurgedLetters::default());
    }

    #[test]
    fn half_lines_at_the_end_and_half_removed_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        std::fs::write(&path, "half a?\n   half x removed\n  {\"event\":\"own\"}\nhalf x").unwrap();
        let file = Mutex::new(DeadLetterFile::open(&path, 1 << 20).unwrap());
        let purged = purge(&file, &owner).unwrap();
        assert_eq!((purged.removed, purged.left), (2, 1));
        assert_eq!(events(&path), ["half a?", "own"]);
    }

    /// While letters are written by two handles, as two processes have them, and the file is moved
    /// again and again, only the letters that are to be removed go.
    #[test]
    fn no_other_letter_is_lost_while_others_write_and_move_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        let handle = || Mutex::new(DeadLetterFile::open(&path, 1 << 24).unwrap());
        let files = [handle(), handle()];
        std::thread::scope(|scope| {
            let writers = files.each_ref().map(|file| {
                scope.spawn(move || {
                    for number in 0..300 {
                        append(file, &format!("a{number}"));
                        append(file, &format!("x{number}"));
                    }
                })
            });
            let mut moved = 0;
            while !writers.iter().all(|writer| writer.is_finished()) {
                purge(&files[0], &owner).unwrap();
                purge(&files[1], &owner).unwrap();
                let to = dir.path().join(format!("moved-{moved}"));
                if moved < 20 && std::fs::rename(&path, to).is_ok() {
                    moved += 1;
                }
            }
        });
        purge(&files[0], &owner).unwrap();
        assert!(events(&path).iter().all(|event| !event.contains('x')));
        let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut kept: Vec<String> = names.flat_map(|path| events(&path)).collect();
        kept.retain(|event| event.starts_with('a'));
        kept.sort();
        let mut expected: Vec<String> = (0..300).map(|number| format!("a{number}")).collect();
        expected.extend(expected.clone());
        expected.sort();
        assert_eq!(kept, expected);
    }
}
