//! The path of the dead-letter file: which file it leads to, and who else may read that.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::private_file::{self, directory_of};

/// Opens `path` for reading and appending, as [`private_file::open`] does.
pub(super) fn open(path: &Path) -> io::Result<File> {
    private_file::open(path, OpenOptions::new().append(true))
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
