//! From the names on the command line to a list of files: directories, patterns.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use glob::MatchOptions;

/// Endings of the files that are read in a directory.
const ENDINGS: [&str; 6] = ["json", "jsonl", "ndjson", "gz", "zst", "zstd"];

/// As a shell does: `*` stays in its directory and leaves out hidden files.
const PATTERN: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files that were found, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FoundFiles {
    /// `-` is standard input.
    pub(super) files: Vec<PathBuf>,
    /// What else lies in the directories, and why it is left out.
    pub(super) left_out: Vec<(PathBuf, &'static str)>,
}

impl FoundFiles {
    /// Finds the files that `names` lead to: as they are named, those of a directory by path.
    ///
    /// # Errors
    /// A directory that cannot be read, and a pattern that matches nothing; one line.
    pub(super) fn of(names: &[PathBuf]) -> Result<Self, String> {
        let mut found = Self::default();
        for name in names {
            if name.as_os_str() == "-" {
                found.files.push(name.clone());
                continue;
            }
            // What has the name is meant, also when it looks like a pattern.
            let pattern = name.to_str().filter(|text| text.contains(['*', '?', '[']));
            match pattern.filter(|_| fs::symlink_metadata(name).is_err()) {
                Some(pattern) => found.add_matches(pattern)?,
                None => found.add(name)?,
            }
        }
        Ok(found)
    }

    fn add_matches(&mut self, pattern: &str) -> Result<(), String> {
        let matches =
            glob::glob_with(pattern, PATTERN).map_err(|error| format!("{pattern}: {error}"))?;
        let mut any = false;
        for path in matches {
            self.add(&path.map_err(|error| format!("{pattern}: {error}"))?)?;
            any = true;
        }
        if any { Ok(()) } else { Err(format!("{pattern}: no file has such a name")) }
    }

    fn add(&mut self, path: &Path) -> Result<(), String> {
        if !path.is_dir() {
            self.files.push(path.to_owned());
            return Ok(());
        }
        let (files, left_out) = (self.files.len(), self.left_out.len());
        self.walk(path).map_err(|(path, error)| format!("{}: {error}", path.display()))?;
        self.files[files..].sort();
        self.left_out[left_out..].sort();
        Ok(())
    }

    fn walk(&mut self, directory: &Path) -> Result<(), (PathBuf, io::Error)> {
        let failed = |error| (directory.to_owned(), error);
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.left_out.push((path, "it is hidden"));
            } else if kind.is_dir() {
                self.walk(&path)?;
            } else if !path.is_file() {
                self.left_out.push((path, "it is not a file"));
            } else if is_known(&path) {
                self.files.push(path);
            } else {
                let why = "its name ends neither in .json, .jsonl, .ndjson nor in .gz, .zst, .zstd";
                self.left_out.push((path, why));
            }
        }
        Ok(())
    }
}

/// Whether the name has a known ending, perhaps before the number or the date of a rotated file.
fn is_known(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let ends = |name: &str| {
        name.rsplit_once('.').is_some_and(|(stem, end)| !stem.is_empty() && ENDINGS.contains(&end))
    };
    let rotated = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let rotated = rotated.strip_suffix(['.', '-']).filter(|_| rotated.len() < name.len());
    ends(name) || rotated.is_some_and(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_files_of_events_have() {
        for (name, known) in [
            ("a.ndjson", true),
            ("1764394000000.fc23.1.2.gz", true),
            ("b.json.zst", true),
            ("dead-letters.ndjson.1", true),
            ("dead-letters.ndjson-20261129", true),
            ("c.txt", false),
            ("c.txt.1", false),
            ("README", false),
            ("7", false),
            ("replay-0123.checkpoint", false),
        ] {
            assert_eq!(is_known(Path::new(name)), known, "{name}");
        }
    }

    #[test]
    fn directories_and_patterns_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("b/c")).unwrap();
        for name in
            ["b/2.json", "b/1.json", "b/c/0.gz", "b/.x.json", "b/r.txt", "a1", "a2", ".a3", "a*"]
        {
            fs::write(path(name), "").unwrap();
        }
        let of = |names: &[&str]| {
            FoundFiles::of(&names.iter().map(|name| path(name)).collect::<Vec<_>>())
        };
        let found = of(&["a2", "b"]).unwrap();
        assert_eq!(found.files, ["a2", "b/1.json", "b/2.json", "b/c/0.gz"].map(path));
        let left_out: Vec<_> = found.left_out.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(left_out, ["b/.x.json", "b/r.txt"].map(path));
        assert_eq!(of(&["a*"]).unwrap().files, [path("a*")], "a file of that name");
        assert_eq!(of(&["?[12]", "*/1*"]).unwrap().files, ["a1", "a2", "b/1.json"].map(path));
        assert!(of(&["*.csv"]).unwrap_err().contains("*.csv"));
    }
}
