//! The data directory: its lock, and the files in it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::LocalError;

/// A file in the data directory, locked while a worker uses it. Earlier versions wrote the port of
/// their server into it.
pub(super) const LOCK_FILE: &str = "traitsink.port";
/// A file in the data directory, for a server with a port.
pub(super) const PASSWORD_FILE: &str = "traitsink.password";

/// Makes `directory`, which only its owner may enter, unless it is there; returns its absolute
/// path.
pub(super) fn make(directory: &Path) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    directory.canonicalize()
}

/// Opens and locks the lock file. The lock ends when the file is closed, also when this process is
/// killed.
pub(super) fn lock(directory: &Path) -> Result<File, LocalError> {
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path);
    let file = file.map_err(|error| LocalError::Directory(path.clone(), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LocalError::Taken(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(LocalError::Directory(path, error)),
    }
}

/// The port that an earlier version wrote into the lock file.
pub(super) fn port_in(file: &mut File) -> io::Result<Option<u16>> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text.trim().parse().ok())
}
