//! Noticing topics whose events have no type. Pure.

use std::sync::Arc;

use hashbrown::HashMap;

/// Number of events after which a topic is judged, again and again.
const WINDOW: u64 = 100;
/// Number of events after which a topic is judged for the first time: a small topic must not be
/// drained without a word.
const FIRST: u64 = 10;

/// Counts the events of each topic that have no `type`: mostly they are in a wrapper that is not
/// known, and all of them would be skipped while the worker is ready.
#[derive(Default)]
pub(super) struct MissingTypes(HashMap<Arc<str>, TopicCount>);

#[derive(Default)]
struct TopicCount {
    /// The topic was judged before.
    judged: bool,
    events: u64,
    untyped: u64,
    /// More than half of the events had no type; `Some(true)`: a warning said so.
    noticed: Option<bool>,
}

impl MissingTypes {
    /// Counts the events of a record; `untyped` of them had no type. True once more than half of
    /// the [`FIRST`] events, or of [`WINDOW`] in a row, had none, until [`MissingTypes::warned`].
    pub(super) fn count(&mut self, topic: &Arc<str>, events: u64, untyped: u64) -> bool {
        let count = self.0.entry(Arc::clone(topic)).or_default();
        if count.noticed.is_some() {
            return count.noticed == Some(false);
        }
        count.events += events;
        count.untyped += untyped;
        if count.events >= if count.judged { WINDOW } else { FIRST } {
            count.judged = true;
            count.noticed = (2 * count.untyped > count.events).then_some(false);
            if count.events >= WINDOW {
                (count.events, count.untyped) = (0, 0);
            }
        }
        count.noticed.is_some()
    }

    /// The warning about `topic` was logged; there is no second one.
    pub(super) fn warned(&mut self, topic: &str) {
        if let Some(count) = self.0.get_mut(topic) {
            count.noticed = Some(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_of_a_window_is_noticed_once() {
        let (mut untyped, topic, other) = (MissingTypes::default(), Arc::from("a"), Arc::from("b"));
        for n in 0..2 * WINDOW {
            assert!(!untyped.count(&topic, 1, n % 2), "half is not most");
        }
        for _ in 1..WINDOW {
            assert!(!untyped.count(&topic, 1, 1));
        }
        assert!(untyped.count(&topic, 1, 1));
        assert!(untyped.count(&topic, 1, 0), "until it was warned");
        untyped.warned("a");
        for _ in 0..2 * WINDOW {
            assert!(!untyped.count(&topic, 1, 1), "there is one warning");
        }
        assert!(untyped.count(&other, 500, 251), "topics are counted each for itself");
    }

    #[test]
    fn a_small_topic_is_judged_too() {
        let (mut untyped, topic) = (MissingTypes::default(), Arc::from("a"));
        assert!((1..FIRST).all(|_| !untyped.count(&topic, 1, 1)));
        assert!(untyped.count(&topic, 1, 1));
    }

    #[test]
    fn what_was_good_long_ago_does_not_hide_what_is_bad_now() {
        let (mut untyped, topic) = (MissingTypes::default(), Arc::from("a"));
        assert!(!untyped.count(&topic, 1_000_000, 0));
        assert!(untyped.count(&topic, 100, 51));
    }
}
