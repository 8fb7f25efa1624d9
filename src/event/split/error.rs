//! Why a body cannot be split.

/// Why a body has no events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("the body is not valid JSON")]
    InvalidJson,
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("`batch` is empty")]
    EmptyBatch,
    #[error("`batch` is not a list")]
    BatchNotAList,
}
