//! Files that only this program's user may read: creates what is missing, and opens only a regular
//! file.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Opens `path` for reading, and for what `options` say. A missing file is created (0600), and so
/// are missing directories (0700). The names are on disk when this returns. Never blocks on what is
/// no regular file.
///
/// # Errors
/// The error of the operating system, or that the path leads to something that is no regular file;
/// the text completes "cannot open X: ".
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let directory = directory_of(path);
    create_directories(directory)?;
    // Opening a device may act on it.
    match std::fs::symlink_metadata(path) {
        Ok(found) => regular(&found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // A link could lead the data of others to a place of someone's choice; a FIFO that has just
    // come here would block.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = options.create(true).read(true).mode(0o600).custom_flags(flags).open(path)?;
    regular(&file.metadata()?)?;
    sync_directory(directory)?;
    Ok(file)
}

/// The directory that holds `path`.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// Creates `directory` and what is missing above it, and has the new names on disk.
fn create_directories(directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        directory.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    missing.into_iter().try_for_each(|created| sync_directory(directory_of(created)))
}

/// Has the names in `directory` on disk. Not every file system can do that, and a directory may be
/// closed to reading: the file itself is no worse for it.
fn sync_directory(directory: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if !matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// An error unless it is a regular file.
fn regular(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_symlink() => "a symbolic link, which is not followed",
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a FIFO",
        _ => "a device or a socket",
    };
    Err(io::Error::other(format!("it is {what}, and must be a regular file")))
}
