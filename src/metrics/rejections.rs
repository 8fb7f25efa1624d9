//! The last events that were rejected or dead-lettered: what operators want to see first.

use std::collections::VecDeque;
use std::sync::Mutex;

use jiff::Timestamp;

use crate::event::RejectReason;
use crate::lock::lock;
use crate::logging;
use crate::outcome::{DeadReason, Source};

/// The number of events that are remembered.
const KEPT: usize = 50;

/// One event that was rejected or dead-lettered, without any part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// When its outcome was counted.
    pub at: Timestamp,
    /// Where it came from.
    pub source: Source,
    /// Whether it is in the dead letters; else it was rejected.
    pub dead_lettered: bool,
    /// Why.
    pub reason: DeadReason,
    /// The hash of its Redis key, as in the log; `None`: there was no key.
    pub user: Option<String>,
}

/// A ring of the last events that were rejected or dead-lettered. Noting one costs a lock that is
/// held for nanoseconds, and a hash where there is a key.
#[derive(Default)]
pub struct Rejections(Mutex<VecDeque<Rejection>>);

impl Rejections {
    /// Remembers an event that was rejected.
    pub fn rejected(&self, source: Source, reason: RejectReason) {
        let (at, reason) = (Timestamp::now(), DeadReason::Rejected(reason));
        self.note(Rejection { at, source, dead_lettered: false, reason, user: None });
    }

    /// Remembers an event that was dead-lettered, by the hash of its Redis `key` if it has one.
    pub fn dead_lettered(&self, source: Source, reason: DeadReason, key: Option<&[u8]>) {
        let user = key.map(|key| logging::hashed(key).to_string());
        self.note(Rejection { at: Timestamp::now(), source, dead_lettered: true, reason, user });
    }

    /// Forgets the oldest one when there are too many.
    fn note(&self, rejection: Rejection) {
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

    #[test]
    fn the_last_ones_are_kept_and_the_newest_is_first() {
        let rejections = Rejections::default();
        assert_eq!(rejections.newest_first(), []);
        for number in 0..KEPT + 10 {
            let reason = RejectReason::ALL[number % RejectReason::ALL.len()];
            rejections.rejected(Source::Http, reason);
        }
        rejections.dead_lettered(Source::Kafka, DeadReason::WrongType, Some(b"user:abc"));
        let kept = rejections.newest_first();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(
            (kept[0].source, kept[0].dead_lettered, kept[0].reason),
            (Source::Kafka, true, DeadReason::WrongType)
        );
        // printf user:abc | sha256sum
        assert_eq!(kept[0].user.as_deref(), Some("4dc0ddfa4a7ccd9e"));
        let last = RejectReason::ALL[(KEPT + 9) % RejectReason::ALL.len()];
        assert_eq!((kept[1].dead_lettered, &kept[1].user), (false, &None));
        assert_eq!(kept[1].reason, DeadReason::Rejected(last));
        assert!(kept.is_sorted_by(|newer, older| newer.at >= older.at));
    }
}
