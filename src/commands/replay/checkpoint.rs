//! How far a replay has come, kept in `data_dir` for `--resume`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::app::StartError;
use crate::exit::Exit;
use crate::source::file::{PositionCounts, ReplayPosition};

use super::input::{FileIdentity, Input, hex};

/// The checkpoint of one list of files. While this exists no other replay of the list begins.
pub(super) struct Checkpoint {
    path: PathBuf,
    /// Holds the lock.
    _lock: File,
    files: Vec<(PathBuf, FileIdentity)>,
}

/// The content of a checkpoint, as JSON.
#[derive(Serialize, Deserialize)]
struct KeptPosition {
    /// The current file's path, for people.
    path: PathBuf,
    /// Its number in the list.
    file: usize,
    /// Bytes of its text, decompressed, up to which everything is settled.
    offset: u64,
    /// The current file as it was.
    current: FileIdentity,
    /// Those before it, each as a hash of its identity.
    finished: Vec<String>,
    /// The events up to the position.
    counts: PositionCounts,
}

impl Checkpoint {
    /// The checkpoint of `inputs`; `None` when one of them can be read only once. Creates
    /// `data_dir` (0700).
    ///
    /// # Errors
    /// `data_dir` cannot be written to, or another replay of the same files is running.
    pub(super) fn open(data_dir: &Path, inputs: &[Input]) -> Result<Option<Self>, StartError> {
        let file = |input: &Input| match input {
            Input::File(path, identity) => Some((path.clone(), identity.clone())),
            Input::Stdin | Input::Stream(..) => None,
        };
        let Some(files) = inputs.iter().map(file).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let unusable = |error: io::Error| StartError {
            message: format!(
                "cannot keep the position of the replay in {}: {error}; set data_dir to a place \
                 this user may write to",
                data_dir.display()
            ),
            code: Exit::IO,
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(unusable)?;
        let mut hash = Sha256::new();
        for (path, _) in &files {
            hash.update(fs::canonicalize(path).map_err(unusable)?.as_os_str().as_bytes());
            hash.update([0]);
        }
        let path = data_dir.join(format!("replay-{}.checkpoint", hex(&hash.finalize())));
        match locked(&path.with_extension("lock")) {
            Ok(Some(lock)) => Ok(Some(Self { path, _lock: lock, files })),
            Ok(None) => Err(StartError {
                message: "another replay of the same files is running: let it end, or end it"
                    .to_owned(),
                code: Exit::UNAVAILABLE,
            }),
            Err(error) => Err(unusable(error)),
        }
    }

    /// Where an earlier replay of the same files was ended; `None` when there was none, or it came
    /// to its end.
    ///
    /// # Errors
    /// A file changed before that position.
    pub(super) fn earlier(&self) -> Result<Option<ReplayPosition>, StartError> {
        let refuse = |code, message| Err(StartError { message, code });
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return refuse(Exit::IO, format!("{}: {error}", self.path.display())),
        };
        let kept: KeptPosition = match serde_json::from_slice(&text) {
            Ok(kept) => kept,
            Err(error) => {
                let message = format!(
                    "the checkpoint {} cannot be read ({error}): replay without --resume",
                    self.path.display()
                );
                return refuse(Exit::IO, message);
            }
        };
        let changed = |path: &Path| {
            let message = format!(
                "{} changed before the position that was reached: --resume cannot go on; replay \
                 without it",
                path.display()
            );
            refuse(Exit::USAGE, message)
        };
        for ((path, identity), finished) in self.files.iter().zip(&kept.finished) {
            if fingerprint(identity) != *finished {
                return changed(path);
            }
        }
        let Some((path, identity)) = self.files.get(kept.file) else {
            return changed(&kept.path);
        };
        match identity.continues(&kept.current, path) {
            Ok(true) => {
                let (file, offset, counts) = (kept.file, kept.offset, kept.counts);
                Ok(Some(ReplayPosition { file, offset, counts }))
            }
            Ok(false) => changed(path),
            Err(error) => refuse(Exit::IO, format!("{}: {error}", path.display())),
        }
    }

    /// Whether there is an earlier position.
    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Keeps `position`, durably: after a crash there is this one or the one before.
    ///
    /// # Errors
    /// The position is not kept; the one before still is.
    pub(super) fn keep(&self, position: ReplayPosition) -> io::Result<()> {
        let ReplayPosition { file, offset, counts } = position;
        let (path, current) = &self.files[file];
        let kept = KeptPosition {
            path: path.clone(),
            file,
            offset,
            current: current.clone(),
            finished: self.files[..file].iter().map(|(_, file)| fingerprint(file)).collect(),
            counts,
        };
        let new = self.path.with_extension("new");
        let mut written =
            OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        written.write_all(&serde_json::to_vec(&kept)?)?;
        written.sync_all()?;
        fs::rename(&new, &self.path)
    }

    /// Removes it: the replay came to its end, or begins anew.
    pub(super) fn remove(&self) {
        // A file that is left is replaced by the next replay of these files.
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path.with_extension("lock"));
    }
}

fn fingerprint(identity: &FileIdentity) -> String {
    hex(&Sha256::digest(serde_json::to_vec(identity).expect("plain data")))
}

/// The lock at `path`; `None` when another process has it.
fn locked(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // A replay that just ended may have removed the file before it was locked here.
        if fs::metadata(path).is_ok_and(|found| {
            file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
        }) {
            return Ok(Some(file));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(data: &Path, files: &[&Path]) -> Result<Checkpoint, StartError> {
        let inputs: Vec<Input> =
            files.iter().map(|path| Input::check(path.to_path_buf(), None).unwrap()).collect();
        Ok(Checkpoint::open(data, &inputs)?.expect("files"))
    }

    #[test]
    fn a_position_is_found_again_unless_a_file_changed_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("1.ndjson"), dir.path().join("2.ndjson"));
        let reset = || {
            fs::write(&one, "{}\n{}\n").unwrap();
            fs::write(&two, "{}\n").unwrap();
        };
        reset();
        let counts = PositionCounts { written: 2, stale: 0, skipped: 1, dead_lettered: 0 };
        let position = ReplayPosition { file: 1, offset: 3, counts };
        let append = |path: &Path| {
            OpenOptions::new().append(true).open(path).unwrap().write_all(b"{}\n").unwrap();
        };
        let edit = |path: &Path| fs::write(path, "[]\n{}\n{}\n{}\n").unwrap();
        let renew = |path: &Path| {
            fs::copy(path, dir.path().join("copy")).unwrap();
            fs::rename(dir.path().join("copy"), path).unwrap();
        };
        let nothing = |_: &Path| {};
        let empty = |path: &Path| fs::write(path, "").unwrap();
        type Change<'a> = (&'a dyn Fn(&Path), &'a Path, bool);
        let changes: [Change<'_>; 7] = [
            (&nothing, &one, true),
            (&append, &two, true),
            (&append, &one, false),
            (&edit, &two, false),
            (&renew, &one, false),
            (&renew, &two, false),
            (&empty, &two, false),
        ];
        for (number, (change, path, goes_on)) in changes.into_iter().enumerate() {
            reset();
            let checkpoint = open(dir.path(), &[&one, &two]).unwrap();
            checkpoint.remove();
            assert_eq!(checkpoint.earlier().unwrap(), None);
            checkpoint.keep(position).unwrap();
            drop(checkpoint);
            change(path);
            let found = open(dir.path(), &[&one, &two]).unwrap().earlier();
            assert_eq!(found.is_ok_and(|found| found == Some(position)), goes_on, "{number}");
        }
    }

    #[test]
    fn one_replay_of_a_list_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("1"), dir.path().join("2"));
        fs::write(&one, "").unwrap();
        fs::write(&two, "").unwrap();
        let first = open(dir.path(), &[&one, &two]).unwrap();
        assert_eq!(open(dir.path(), &[&one, &two]).err().unwrap().code, Exit::UNAVAILABLE);
        assert!(open(dir.path(), &[&two, &one]).is_ok(), "another order is another list");
        drop(first);
        assert!(open(dir.path(), &[&one, &two]).is_ok());
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}
