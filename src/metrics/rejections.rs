//! The last events that were rejected or dead-lettered: what operators want to see first.

use std::collections::VecDeque;
use std::sync::Mutex;

use jiff::Timestamp;

use crate::lock::lock;
use crate::logging;
use crate::outcome::{Outcome, Source};

/// The number of events that are remembered.
const KEPT: usize = 50;

/// One event that was rejected or dead-lettered, without any part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// When its outcome was counted.
    pub at: Timestamp,
    /// Where it came from.
    pub source: Source,
    /// [`Outcome::Rejected`] or [`Outcome::DeadLettered`].
    pub outcome: Outcome,
    /// The hash of its Redis key, as in the log; `None`: there was no key.
    pub user: Option<String>,
}

/// A ring of the last events that were rejected or dead-lettered. Noting one costs a lock that is
/// held for nanoseconds, and a hash where there is a key.
#[derive(Default)]
pub struct Rejections(Mutex<VecDeque<Rejection>>);

impl Rejections {
    /// Remembers the event; forgets the oldest one when there are too many.
    pub fn note(&self, source: Source, outcome: Outcome, key: Option<&[u8]>) {
        let user = key.map(|key| logging::hashed(key).to_string());
        let rejection = Rejection { at: Timestamp::now(), source, outcome, user };
        let mut kept = lock(&self.0);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(rejection);
    }

    /// The events, the newest first.
    pub fn newest_first(&self) -> Vec<Rejection> {
        lock(&self.0).iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RejectReason;
    use crate::outcome::DeadReason;

    #[test]
    fn the_last_ones_are_kept_and_the_newest_is_first() {
        let rejections = Rejections::default();
        assert_eq!(rejections.newest_first(), []);
        for number in 0..KEPT + 10 {
            let reason = RejectReason::ALL[number % RejectReason::ALL.len()];
            rejections.note(Source::Http, Outcome::Rejected(reason), None);
        }
        rejections.note(
            Source::Kafka,
            Outcome::DeadLettered(DeadReason::WrongType),
            Some(b"user:abc"),
        );
        let kept = rejections.newest_first();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(
            (kept[0].source, kept[0].outcome),
            (Source::Kafka, Outcome::DeadLettered(DeadReason::WrongType))
        );
        // printf user:abc | sha256sum
        assert_eq!(kept[0].user.as_deref(), Some("4dc0ddfa4a7ccd9e"));
        let last = RejectReason::ALL[(KEPT + 9) % RejectReason::ALL.len()];
        assert_eq!((kept[1].outcome, kept[1].user.as_ref()), (Outcome::Rejected(last), None));
        assert!(kept.is_sorted_by(|newer, older| newer.at >= older.at));
    }
}
