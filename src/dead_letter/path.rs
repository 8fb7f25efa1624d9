//! The path of the dead-letter file: creates what is missing, opens only a regular file, and says
//! who else may read it.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Opens `path` for reading and appending. A missing file is created (0600), and so are missing
/// directories (0700). The names are on disk when this returns. Never blocks on what is no regular
/// file.
///
/// # Errors
/// The error of the operating system, or that the path leads to something that is no regular file;
/// the text completes "cannot open X: ".
pub(super) fn open(path: &Path) -> io::Result<File> {
    let directory = directory_of(path);
    create_directories(directory)?;
    // Opening a device may act on it.
    match std::fs::symlink_metadata(path) {
        Ok(found) => regular(&found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // A link could lead the events of others to a place of someone's choice; a FIFO that has just
    // come here would block.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(path)?;
    regular(&file.metadata()?)?;
    sync_directory(directory)?;
    Ok(file)
}

/// Whether `path` still leads to `file`.
pub(super) fn leads_to(path: &Path, file: &Metadata) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (file.dev(), file.ino())),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// One line for each way in which other users may read or replace the letters at `path`. A file or
/// directory that is missing or cannot be looked at counts as none.
pub fn exposures(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(file) = std::fs::symlink_metadata(path)
        && file.is_file()
        && file.mode() & 0o077 != 0
    {
        let mode = file.mode() & 0o777;
        found.push(format!(
            "the dead-letter file {} has mode {mode:04o}, so other users may get at the events in \
             it: chmod 600",
            path.display()
        ));
    }
    let directory = directory_of(path);
    if let Ok(metadata) = std::fs::metadata(directory)
        && metadata.mode() & 0o022 != 0
        && metadata.mode() & 0o1000 == 0
    {
        let mode = metadata.mode() & 0o777;
        found.push(format!(
            "the directory {} of the dead-letter file has mode {mode:04o}, so other users may \
             remove or replace the file: chmod go-w",
            directory.display()
        ));
    }
    found
}

fn directory_of(path: &Path) -> &Path {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_created_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/newer/letters.ndjson");
        open(&path).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(exposures(&path), Vec::<String>::new());
    }

    #[test]
    fn who_else_may_get_at_the_letters() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        assert!(exposures(&path).is_empty(), "nothing is there yet");
        open(&path).unwrap();
        for (file, directory, lines) in [
            (0o600, 0o755, 0),
            (0o640, 0o700, 1),
            (0o600, 0o777, 1),
            (0o644, 0o775, 2),
            (0o600, 0o1777, 0),
        ] {
            chmod(&path, file);
            chmod(dir.path(), directory);
            let found = exposures(&path);
            assert_eq!(found.len(), lines, "{file:o} in {directory:o}: {found:?}");
        }
    }

    #[test]
    fn only_a_regular_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.ndjson");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("socket"));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("symbolic link"));
        assert!(open(dir.path()).unwrap_err().to_string().contains("directory"));
        assert!(open(Path::new("/dev/null")).unwrap_err().to_string().contains("device"));
    }
}
