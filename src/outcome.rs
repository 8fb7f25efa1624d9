//! Where an event came from and how it ended: the words that the pipeline, the dead letters and the
//! metrics share. Pure.

use crate::event::{RejectReason, SkipReason};
use crate::words::words;

words! {
    /// Where events come from: the label `source`. Each has its series from the start.
    Source {
        Http => "http",
        Kafka => "kafka",
        File => "file",
    }
}

words! {
    /// What had a user deleted: the label `by`.
    DeletedBy {
        /// A request to the deletion API.
        Api => "api",
        /// A Kafka record without a value.
        Tombstone => "tombstone",
        /// A `track` event of the name that `deletion.event` gives.
        Event => "event",
    }
}

/// Why an event is in the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadReason {
    /// The event itself (from Kafka and files; over HTTP such an event is only rejected).
    Rejected(RejectReason),
    /// Redis: the key holds another type.
    WrongType,
    /// Redis refused the write for good for another reason.
    Refused,
}

impl DeadReason {
    /// Every reason; each has its series from the start.
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

    /// The word in metrics and dead letters.
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
    /// Redis confirmed that there is nothing to change: all that the event says is newer already.
    Stale,
    /// The event asks for nothing to be written.
    Skipped(SkipReason),
    /// The event cannot be read or exceeds a limit.
    Rejected(RejectReason),
    /// The event is durably in the dead letters.
    DeadLettered(DeadReason),
    /// The event is not written; its source still owns it.
    Failed,
}
