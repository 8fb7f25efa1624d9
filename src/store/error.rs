//! Why a store cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a store cannot be opened, or did not keep what it was given.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the file open.
    #[error(
        "another process has {} open (`lslocks` names it): each worker needs a data_dir of its own",
        path.display()
    )]
    InUse { path: PathBuf },
    /// What the file holds is not what was written to it.
    #[error(
        "{} is damaged ({why}): move it away, and start again with a new one. Then {lost}",
        path.display()
    )]
    Damaged { path: PathBuf, why: String, lost: &'static str },
    /// An error of the operating system.
    #[error(
        "cannot open {}: {error}; set data_dir to a place this user may write to",
        path.display()
    )]
    Open { path: PathBuf, error: io::Error },
    /// The disk is full, for instance.
    #[error("cannot use {}: {why}", path.display())]
    Use { path: PathBuf, why: String },
}
