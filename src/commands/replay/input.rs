//! A file to be replayed: checked before anything is written, and known again later.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::source::file::{Compression, begins_like_text, promised};

/// Bytes at the beginning of a file by which it is known.
const HEAD: u64 = 4096;

/// What is read.
pub(super) enum Input {
    Stdin,
    /// Something that can be read only once, such as a pipe.
    Stream(PathBuf, File),
    File(PathBuf, FileIdentity),
}

/// By what a file is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileIdentity {
    pub(super) inode: u64,
    pub(super) size: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: i128,
    /// The hash of its first bytes, at most 4 KiB, and how many there are.
    head: String,
    head_size: u64,
}

impl FileIdentity {
    fn of(metadata: &Metadata, head: &[u8]) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: i128::from(metadata.mtime()) * 1_000_000_000
                + i128::from(metadata.mtime_nsec()),
            head: hex(&Sha256::digest(head)),
            head_size: head.len() as u64,
        }
    }

    /// Whether the file at `path`, which is `self` now, is still `earlier`, perhaps with more lines
    /// at its end.
    pub(super) fn continues(&self, earlier: &Self, path: &Path) -> io::Result<bool> {
        if self == earlier {
            return Ok(true);
        }
        if self.inode != earlier.inode || self.size <= earlier.size {
            return Ok(false);
        }
        let mut head = Vec::new();
        File::open(path)?.take(earlier.head_size).read_to_end(&mut head)?;
        Ok(hex(&Sha256::digest(&head)) == earlier.head)
    }
}

/// The first half of a hash, as text.
pub(super) fn hex(hash: &[u8]) -> String {
    hash[..hash.len() / 2].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a file is, for the comparison with others.
type Place = (u64, u64);

fn place(metadata: &Metadata) -> Place {
    (metadata.dev(), metadata.ino())
}

/// Why an input cannot be used.
#[derive(Debug)]
pub(super) enum InputError {
    /// It cannot be read; one line.
    Unreadable(String),
    /// It is the file that dead letters are written to.
    OwnLetters(PathBuf),
}

impl Input {
    /// Opens and looks at an input. `letters` is the dead-letter file of the configuration.
    ///
    /// # Errors
    /// It cannot be read, is damaged at its beginning, or is `letters`.
    pub(super) fn check(path: PathBuf, letters: Option<&Path>) -> Result<Self, InputError> {
        let unreadable =
            |error: io::Error| InputError::Unreadable(format!("{}: {error}", path.display()));
        let stdin = path.as_os_str() == "-";
        let file = match stdin {
            true => File::from(io::stdin().as_fd().try_clone_to_owned().map_err(unreadable)?),
            false => File::open(&path).map_err(unreadable)?,
        };
        let metadata = file.metadata().map_err(unreadable)?;
        let letters = letters.and_then(|letters| std::fs::metadata(letters).ok());
        if letters.is_some_and(|letters| place(&letters) == place(&metadata)) {
            return Err(InputError::OwnLetters(path));
        }
        if stdin {
            return Ok(Self::Stdin);
        }
        if !metadata.is_file() {
            return Ok(Self::Stream(path, file));
        }
        let mut head = Vec::new();
        file.take(HEAD).read_to_end(&mut head).map_err(unreadable)?;
        let promised = promised(&path);
        if promised != Compression::Plain
            && Compression::of(&head) == Compression::Plain
            && !begins_like_text(&head)
        {
            let what = if head.is_empty() { "it is empty" } else { "it does not begin like one" };
            let error = format!("this is no {} file: {what}", promised.as_str());
            return Err(unreadable(io::Error::other(error)));
        }
        let identity = FileIdentity::of(&metadata, &head);
        Ok(Self::File(path, identity))
    }

    /// Bytes as they are stored, where that is known.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Stdin | Self::Stream(..) => None,
            Self::File(_, identity) => Some(identity.size),
        }
    }

    /// The name, for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".to_owned(),
            Self::Stream(path, _) | Self::File(path, _) => path.display().to_string(),
        }
    }
}
