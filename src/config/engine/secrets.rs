//! Secrets that are typed in place or kept in a file of their own.

use std::path::Path;

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::effective_keys::ContentHash;
use super::report::ConfigReport;
use super::units::Secret;

/// The secret `key`, from its value or from the file that `{key}_file` names; both is an error.
pub(crate) fn secret(
    report: &mut ConfigReport,
    key: &str,
    value: Option<&Secret>,
    file: Option<&Path>,
) -> Option<SecretString> {
    match (value, file) {
        (Some(_), Some(_)) => {
            let file = report.place(&format!("{key}_file"));
            report.error(key, format_args!("given beside {file}: give one"));
            None
        }
        (Some(value), None) => Some(value.0.clone()),
        (None, Some(path)) => read(report, &format!("{key}_file"), path),
        (None, None) => None,
    }
}

/// A secret's file without its one trailing newline; empty is an error.
pub(crate) fn read(report: &mut ConfigReport, key: &str, path: &Path) -> Option<SecretString> {
    read_secret(path).map_err(|why| report.error(key, why)).ok()
}

/// The same without a report.
///
/// # Errors
/// The file is empty or cannot be read; the text names it.
pub fn read_secret(path: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    match without_newline(&text) {
        "" => Err(format!("{} is empty", path.display())),
        line => Ok(line.into()),
    }
}

/// The hash of a file's content; `None` where there is no regular file that can be read. Anything
/// else, such as a pipe, is left alone: it could be read only once.
pub fn content_hash(path: &Path) -> Option<ContentHash> {
    let content = path.is_file().then(|| std::fs::read(path).ok())??;
    Some(Sha256::digest(content).into())
}

/// `text` without its one trailing line end.
pub fn without_newline(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').filter(|_| line.len() < text.len()).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn one_trailing_newline_is_dropped() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, secret) in [
            ("pw", "pw"),
            ("pw\n", "pw"),
            ("pw\r\n", "pw"),
            ("pw\n\n", "pw\n"),
            ("pw\r", "pw\r"),
            (" pw ", " pw "),
        ] {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(read_secret(file.path()).unwrap().expose_secret(), secret, "{text:?}");
        }
    }

    #[test]
    fn an_empty_or_missing_file_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let (empty, missing) = (directory.path().join("empty"), directory.path().join("missing"));
        std::fs::write(&empty, "\n").unwrap();
        let mut report = ConfigReport::default();
        assert!(read(&mut report, "redis.password_file", &empty).is_none());
        assert!(read(&mut report, "redis.password_file", &missing).is_none());
        let errors = report.finish().unwrap_err().to_string();
        assert!(errors.contains("empty is empty") && errors.contains("cannot be read"), "{errors}");
    }
}
