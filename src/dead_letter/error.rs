//! Why dead letters could not be kept.

use std::io;
use std::path::PathBuf;

/// Why letters could not be kept; their events are not acknowledged.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeadLetterError {
    #[error(
        "the dead-letter file {path} has reached dead_letter.max_size; move it away or raise the \
         limit"
    )]
    Full { path: PathBuf },
    #[error(
        "another process keeps the dead-letter file {path} locked (`lslocks` names it); let it go \
         on, or end it"
    )]
    Locked { path: PathBuf },
    #[error("cannot open the dead-letter file {path}: {error}")]
    Open { path: PathBuf, error: io::Error },
    #[error("cannot write to the dead-letter file {path}: {error}")]
    Write { path: PathBuf, error: io::Error },
    #[cfg(feature = "kafka")]
    #[error("cannot write to the dead-letter topic {topic:?}: {why}")]
    Topic { topic: String, why: String },
}
