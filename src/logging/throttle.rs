//! Limits how often something is logged that may happen with every request.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock::lock;

/// Lets one log line through per interval, and counts the occurrences in between.
#[derive(Debug)]
pub struct Throttle {
    every: Duration,
    state: Mutex<Counted>,
}

#[derive(Debug)]
struct Counted {
    last: Option<Instant>,
    /// Occurrences since the last line.
    count: u64,
}

impl Throttle {
    /// At most one line per `every`; the first one at once.
    pub const fn new(every: Duration) -> Self {
        Self { every, state: Mutex::new(Counted { last: None, count: 0 }) }
    }

    /// Counts `count` more occurrences. `Some`: log now, with the number of occurrences since the
    /// last line, these included.
    pub fn admit(&self, count: u64) -> Option<u64> {
        self.admit_at(count, Instant::now())
    }

    /// The same at the time `now`.
    pub fn admit_at(&self, count: u64, now: Instant) -> Option<u64> {
        let mut state = lock(&self.state);
        state.count += count;
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < self.every) {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.count))
    }

    /// True while a line was logged less than one interval before `now`.
    pub fn is_closed_at(&self, now: Instant) -> bool {
        let state = lock(&self.state);
        state.last.is_some_and(|last| now.saturating_duration_since(last) < self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_a_while_counts_what_was_left_out() {
        let (throttle, start) = (Throttle::new(Duration::from_secs(10)), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(throttle.admit_at(2, start), Some(2));
        assert_eq!(throttle.admit_at(1, start), None);
        assert_eq!(throttle.admit_at(3, at(9)), None);
        assert_eq!(throttle.admit_at(1, at(10)), Some(5));
        assert_eq!(throttle.admit_at(1, at(19)), None);
    }
}
