//! A regulation and its state, as they are kept on disk. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::kind::RegulationKind;

/// Where a regulation stands, in the words of Segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RegulationState {
    /// It is on disk, and nothing of it was done.
    Initialized,
    Running,
    Finished,
    /// Something could not be deleted: [`Shortfall`] says what.
    PartialSuccess,
    /// It was ended before it was done.
    Failed,
    /// What it asks for is not known.
    Invalid,
    /// What it asks for is known, and not done here.
    NotSupported,
}

/// Why less was done than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortfall {
    /// A key holds another type than a profile does, and was left.
    WrongType,
    /// Redis refuses the deletion of a key for good.
    Refused,
    /// More dynamic prefixes were seen than are remembered: keys under others may be left.
    TooManyPrefixes,
    /// Dead letters go to a topic, which cannot be changed. Does not lower the state.
    DeadLetterTopic,
    /// The suppression was lifted before the regulation was done.
    Lifted,
}

/// What was done for a regulation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkDone {
    /// Keys that existed and were deleted.
    pub keys_deleted: u64,
    /// Dead letters that were removed.
    pub letters_removed: u64,
    /// Dead letters that were found and left.
    pub letters_left: u64,
    pub shortfalls: BTreeSet<Shortfall>,
}

/// A request to delete, suppress or no longer suppress users, and its state. Holds no user ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regulation {
    pub id: String,
    pub kind: RegulationKind,
    pub state: RegulationState,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Milliseconds since 1970.
    pub finished: Option<i64>,
    /// Different users.
    pub subjects: u64,
    /// Only keys under these prefixes are deleted; `None`: under all.
    pub prefixes: Option<Vec<String>>,
    pub keys_deleted: u64,
    pub letters_removed: u64,
    pub letters_left: u64,
    pub shortfalls: BTreeSet<Shortfall>,
}

impl Regulation {
    /// A regulation that is accepted at `now`. What is not known or not done here is finished.
    pub(super) fn new(
        id: String,
        kind: RegulationKind,
        subjects: u64,
        prefixes: Option<Vec<String>>,
        now: i64,
    ) -> Self {
        let state = match kind {
            RegulationKind::Unknown => RegulationState::Invalid,
            RegulationKind::DeleteArchiveOnly => RegulationState::NotSupported,
            _ => RegulationState::Initialized,
        };
        let mut regulation = Self {
            id,
            kind,
            state,
            created: now,
            finished: None,
            subjects,
            prefixes,
            keys_deleted: 0,
            letters_removed: 0,
            letters_left: 0,
            shortfalls: BTreeSet::new(),
        };
        if state != RegulationState::Initialized {
            regulation.finished = Some(now);
        }
        regulation
    }

    /// True when nothing of it is left to do.
    pub fn is_finished(&self) -> bool {
        !matches!(self.state, RegulationState::Initialized | RegulationState::Running)
    }

    /// More was done.
    pub(super) fn add(&mut self, progress: WorkDone) {
        self.keys_deleted += progress.keys_deleted;
        self.letters_removed += progress.letters_removed;
        // Letters that are left are found again by the next search.
        self.letters_left = self.letters_left.max(progress.letters_left);
        self.shortfalls.extend(progress.shortfalls);
    }

    /// All was done that can be, at `now`.
    pub(super) fn complete(&mut self, now: i64) {
        let lowers = |shortfall: &Shortfall| *shortfall != Shortfall::DeadLetterTopic;
        self.state = if self.shortfalls.iter().any(lowers) {
            RegulationState::PartialSuccess
        } else {
            RegulationState::Finished
        };
        self.finished = Some(now);
    }

    /// Its suppression was lifted at `now`: what was not done of it stays undone.
    pub(super) fn lift(&mut self, now: i64) {
        if !self.is_finished() {
            self.state = RegulationState::Failed;
            self.shortfalls.insert(Shortfall::Lifted);
            self.finished = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RegulationKind as K;
    use RegulationState as S;

    fn regulation(kind: RegulationKind) -> Regulation {
        Regulation::new("r1".into(), kind, 2, None, 1000)
    }

    #[test]
    fn what_cannot_be_done_is_finished_at_once() {
        for (kind, state, finished) in [
            (K::DeleteOnly, S::Initialized, None),
            (K::Unsuppress, S::Initialized, None),
            (K::Unknown, S::Invalid, Some(1000)),
            (K::DeleteArchiveOnly, S::NotSupported, Some(1000)),
        ] {
            let found = regulation(kind);
            assert_eq!((found.state, found.finished), (state, finished), "{kind:?}");
            assert_eq!(found.is_finished(), finished.is_some());
        }
    }

    #[test]
    fn what_is_left_lowers_the_state() {
        for (shortfall, state) in [
            (None, S::Finished),
            (Some(Shortfall::WrongType), S::PartialSuccess),
            (Some(Shortfall::Refused), S::PartialSuccess),
            (Some(Shortfall::TooManyPrefixes), S::PartialSuccess),
            (Some(Shortfall::DeadLetterTopic), S::Finished),
        ] {
            let mut found = regulation(K::DeleteOnly);
            let part = WorkDone { keys_deleted: 2, letters_removed: 1, ..WorkDone::default() };
            found.add(part.clone());
            found.add(WorkDone { shortfalls: shortfall.into_iter().collect(), ..part });
            found.complete(2000);
            assert_eq!((found.state, found.finished), (state, Some(2000)), "{shortfall:?}");
            assert_eq!((found.keys_deleted, found.letters_removed), (4, 2));
        }
    }

    #[test]
    fn lifting_ends_what_is_not_done() {
        let mut found = regulation(K::SuppressWithDelete);
        found.lift(2000);
        assert_eq!((found.state, found.finished), (S::Failed, Some(2000)));
        let mut done = regulation(K::SuppressOnly);
        done.complete(1500);
        done.lift(2000);
        assert_eq!((done.state, done.finished), (S::Finished, Some(1500)));
    }
}
