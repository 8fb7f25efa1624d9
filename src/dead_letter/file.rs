//! Dead letters as lines of a file that others may move, empty, remove, or write to at any time.

use std::fs::{File, TryLockError};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::DeadLetterError;
use super::letter::Letter;
use super::line::lines;
use super::path;

/// How long letters wait for another process that has the file locked. Writing takes milliseconds:
/// a process that keeps the lock for longer is frozen.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(2);
/// How often letters are written again because the file was removed or emptied under them.
const REWRITES: usize = 100;

/// Writes to the file that has the path at that moment, one process at a time. Between two writes
/// only its descriptor is kept, and that is used only while the path still leads to it.
pub(super) struct DeadLetterFile {
    path: PathBuf,
    max_size: u64,
    file: Option<File>,
    /// The file system has no locks, and a warning said so.
    lockless: bool,
}

impl DeadLetterFile {
    /// Opens the file, creating it (0600) and its directory (0700).
    pub(super) fn open(path: &Path, max_size: u64) -> io::Result<Self> {
        let file = path::open(path)?;
        Ok(Self { path: path.to_owned(), max_size, file: Some(file), lockless: false })
    }

    /// Closes the file; the next letter opens what has the path then.
    pub(super) fn close(&mut self) {
        self.file = None;
        self.lockless = false;
    }

    /// Blocks until the letters are on disk, in a file that had the path while they were written.
    /// `asked` is when the caller began to wait.
    ///
    /// # Errors
    /// None of the letters was kept. The earlier content of the file is unchanged.
    pub(super) fn append(
        &mut self,
        letters: &[Letter],
        asked: Instant,
    ) -> Result<(), DeadLetterError> {
        let lines = lines(letters);
        for _ in 0..REWRITES {
            let file = self.locked(asked + LOCK_WAIT)?;
            // Closing the descriptor also releases the lock, so an early return needs no more than
            // that.
            let kept = write(&file, &lines, self.max_size)
                .and_then(|end| still_there(&self.path, &file, end))
                .map_err(|error| self.failed(error))?;
            if kept && (self.lockless || file.unlock().is_ok()) {
                self.file = Some(file);
            }
            if kept {
                return Ok(());
            }
        }
        Err(self.failed(
            io::Error::other("it is removed or emptied again and again while letters are written")
                .into(),
        ))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Calls `act` with the file that has the path, under its lock, and keeps the file afterwards.
    pub(super) fn with_lock<T>(
        &mut self,
        asked: Instant,
        act: impl FnOnce(&File) -> io::Result<T>,
    ) -> Result<T, DeadLetterError> {
        let file = self.locked(asked + LOCK_WAIT)?;
        let done = act(&file).map_err(|error| self.failed(error.into()))?;
        if self.lockless || file.unlock().is_ok() {
            self.file = Some(file);
        }
        Ok(done)
    }

    /// The file that has the path, under the lock.
    fn locked(&mut self, deadline: Instant) -> Result<File, DeadLetterError> {
        loop {
            let file = match self.file.take() {
                Some(file) if self.leads_to(&file)? => file,
                _ => path::open(&self.path)
                    .map_err(|error| DeadLetterError::Open { path: self.path.clone(), error })?,
            };
            self.lock(&file, deadline)?;
            // Another file may have got the path while the lock was waited for.
            if self.leads_to(&file)? {
                return Ok(file);
            }
            if Instant::now() >= deadline {
                return Err(self.failed(
                    io::Error::other("the path leads to another file again and again").into(),
                ));
            }
        }
    }

    /// Waits for the lock until `deadline`, and tries at least once. Polls, because a lock that is
    /// waited for has no time limit.
    fn lock(&mut self, file: &File, deadline: Instant) -> Result<(), DeadLetterError> {
        if self.lockless {
            return Ok(());
        }
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => pause(),
                Err(TryLockError::WouldBlock) => {
                    return Err(DeadLetterError::Locked { path: self.path.clone() });
                }
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) if without_locks(&error) => {
                    self.lockless = true;
                    tracing::warn!(
                        "the file system of the dead-letter file {} has no locks ({error}): only \
                         one process may write to the file",
                        self.path.display()
                    );
                    return Ok(());
                }
                Err(TryLockError::Error(error)) => return Err(self.failed(error.into())),
            }
        }
    }

    fn leads_to(&self, file: &File) -> Result<bool, DeadLetterError> {
        file.metadata()
            .and_then(|metadata| path::leads_to(&self.path, &metadata))
            .map_err(|error| self.failed(error.into()))
    }

    fn failed(&self, error: WriteFailure) -> DeadLetterError {
        let path = self.path.clone();
        match error {
            WriteFailure::Full => DeadLetterError::Full { path },
            WriteFailure::Io(error) => DeadLetterError::Write { path, error },
        }
    }
}

/// Why lines were not written.
enum WriteFailure {
    Full,
    Io(io::Error),
}

impl From<io::Error> for WriteFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Appends `lines` durably, on a line of their own, and returns where they end. On an error the
/// file is as it was before.
fn write(mut file: &File, lines: &[u8], max_size: u64) -> Result<u64, WriteFailure> {
    let size = file.metadata()?.len();
    let mut last = [b'\n'];
    if size > 0 {
        // Reads nothing if the file was emptied in this moment.
        file.read_at(&mut last, size - 1)?;
    }
    // The file ends in half a line, of a process that was killed or of an editor. The line is not
    // cut off: it may be all that is left of an event.
    let lines = if last == [b'\n'] { lines.to_vec() } else { [b"\n", lines].concat() };
    if size + lines.len() as u64 > max_size {
        return Err(WriteFailure::Full);
    }
    let mut written = 0;
    let mut written_all = || {
        while written < lines.len() {
            match file.write(&lines[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        file.sync_data()
    };
    if let Err(error) = written_all() {
        // Cuts off what was written, unless another program changed the file meanwhile without the
        // lock.
        if file.metadata().is_ok_and(|now| now.len() == size + written as u64) {
            let _ = file.set_len(size);
        }
        return Err(error.into());
    }
    // Where the last write ended: appending moves the position there.
    Ok(file.stream_position()?)
}

/// Whether what ends at `end` is still in a file that has a name.
fn still_there(path: &Path, file: &File, end: u64) -> Result<bool, WriteFailure> {
    let now = file.metadata()?;
    // Some file systems count no links: there the path decides.
    Ok(now.len() >= end && (now.nlink() > 0 || path::leads_to(path, &now)?))
}

/// Whether the file system cannot lock at all.
fn without_locks(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOLCK | libc::EOPNOTSUPP | libc::ENOSYS))
}

#[expect(
    clippy::disallowed_methods,
    reason = "on a thread for blocking work; a lock of another process cannot be awaited"
)]
fn pause() {
    std::thread::sleep(LOCK_POLL);
}

#[cfg(test)]
mod tests {
    use crate::outcome::{DeadReason, Source};

    use super::*;

    fn append(file: &mut DeadLetterFile, text: &str) -> Result<(), DeadLetterError> {
        file.append(
            &[Letter::new(
                DeadReason::WrongType,
                Source::Http,
                Some(b"user:1"),
                text.as_bytes(),
                None,
            )],
            Instant::now(),
        )
    }

    /// The events in the file at `path`.
    fn events(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let event = |line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["event"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        text.lines().map(event).collect()
    }

    #[test]
    fn a_full_file_keeps_nothing_more_until_it_is_moved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        let mut file = DeadLetterFile::open(&path, 150).unwrap();
        append(&mut file, "1").unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(append(&mut file, "2"), Err(DeadLetterError::Full { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        std::fs::rename(&path, dir.path().join("moved")).unwrap();
        append(&mut file, "3").unwrap();
        assert_eq!(events(&path), ["3"]);
        assert_eq!(std::fs::read(dir.path().join("moved")).unwrap(), before);
    }

    #[test]
    fn lines_that_were_removed_or_cut_off_are_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        let file = path::open(&path).unwrap();
        let kept = |end| still_there(&path, &file, end).is_ok_and(|kept| kept);
        let Ok(end) = write(&file, b"12\n", 100) else { panic!("written") };
        assert!(end == 3 && kept(3));
        file.set_len(0).unwrap();
        assert!(!kept(3), "emptied");
        let Ok(end) = write(&file, b"34\n", 100) else { panic!("written") };
        std::fs::rename(&path, dir.path().join("moved")).unwrap();
        assert!(end == 3 && kept(3), "a moved file keeps them");
        std::fs::remove_file(dir.path().join("moved")).unwrap();
        assert!(!kept(3), "removed");
    }

    #[test]
    fn a_lock_that_is_never_released_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        let mut file = DeadLetterFile::open(&path, 1 << 20).unwrap();
        let other = File::open(&path).unwrap();
        other.lock().unwrap();
        // A caller that has waited for long enough already tries once more.
        let asked = Instant::now() - LOCK_WAIT;
        let letter = Letter::new(DeadReason::WrongType, Source::Http, None, b"1", None);
        assert!(matches!(
            file.append(std::slice::from_ref(&letter), asked),
            Err(DeadLetterError::Locked { .. })
        ));
        other.unlock().unwrap();
        file.append(&[letter], asked).unwrap();
        assert_eq!(events(&path), ["1"]);
    }
}
