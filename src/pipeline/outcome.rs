//! Where an event came from and how it ended.

use crate::event::{RejectReason, SkipReason};

/// Where events come from: the label `source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Http,
    Kafka,
    File,
    Spool,
}

impl Source {
    pub const ALL: &'static [Self] = &[Self::Http, Self::Kafka, Self::File, Self::Spool];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Kafka => "kafka",
            Self::File => "file",
            Self::Spool => "spool",
        }
    }
}

/// Why an event is in the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadReason {
    /// The event itself (files; over HTTP such an event is rejected).
    Rejected(RejectReason),
    /// Redis: the key holds another type.
    WrongType,
    /// Redis refused the write for good for another reason.
    Refused,
}

impl DeadReason {
    pub fn all() -> impl Iterator<Item = Self> {
        RejectReason::ALL.iter().map(|&r| Self::Rejected(r)).chain([Self::WrongType, Self::Refused])
    }

    /// Position in [`DeadReason::all`].
    pub fn index(self) -> usize {
        match self {
            Self::Rejected(reason) => reason as usize,
            Self::WrongType => RejectReason::ALL.len(),
            Self::Refused => RejectReason::ALL.len() + 1,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected(reason) => reason.as_str(),
            Self::WrongType => "wrong_type",
            Self::Refused => "refused",
        }
    }
}

/// How one event ended. Every event ends exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Redis confirmed the write.
    Written,
    /// It asks for nothing to be written.
    Skipped(SkipReason),
    /// It cannot be read or exceeds a limit.
    Rejected(RejectReason),
    /// It is durably in the dead letters.
    DeadLettered(DeadReason),
    /// Not written; its source still owns it.
    Failed,
}
