//! The password of a local server that listens on a port, which every user of the machine can
//! reach.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

/// Random bytes of a password.
const RANDOM: usize = 32;

/// The password in `file`; `None` when the file is missing or empty.
pub(super) fn read(file: &Path) -> io::Result<Option<SecretString>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().into())
            .filter(|password: &SecretString| !password.expose_secret().is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The password in `file`, which only its owner may read from now on; makes one if there is none.
pub(super) fn read_or_make(file: &Path) -> io::Result<SecretString> {
    let mut open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(file)?;
    open.set_permissions(Permissions::from_mode(0o600))?;
    let mut known = String::new();
    open.read_to_string(&mut known)?;
    if known.trim().is_empty() {
        let mut random = [0; RANDOM];
        let filled = rustls::crypto::ring::default_provider().secure_random.fill(&mut random);
        filled.map_err(|_| io::Error::other("the system gives no random numbers"))?;
        known = random.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(open, "{known}")?;
        open.sync_all()?;
    }
    Ok(known.trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let (file, other) = (directory.path().join("a"), directory.path().join("b"));
        assert!(read(&file).unwrap().is_none());
        std::fs::write(&file, "").unwrap();
        let first = read_or_make(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(first.expose_secret().len(), 2 * RANDOM);
        for again in [read(&file).unwrap().unwrap(), read_or_make(&file).unwrap()] {
            assert_eq!(again.expose_secret(), first.expose_secret());
        }
        assert_ne!(read_or_make(&other).unwrap().expose_secret(), first.expose_secret());
    }
}
