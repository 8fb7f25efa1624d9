//! Logs the same text of librdkafka once a minute, not once a second. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::logging::Throttle;

/// Time between two lines with the same text.
const INTERVAL: Duration = Duration::from_secs(60);
/// Different texts that are remembered.
const MEMORY: usize = 64;

/// The texts that were logged lately.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    logged: HashMap<String, Throttle>,
}

impl Repeats {
    /// `Some`: log `text` now, which was left out that many times since it was last logged.
    pub(super) fn admit(&mut self, text: &str, now: Instant) -> Option<u64> {
        let key = without_times(text);
        if let Some(throttle) = self.logged.get(key) {
            return throttle.admit_at(1, now).map(|occurrences| occurrences - 1);
        }
        if self.logged.len() >= MEMORY {
            self.logged.retain(|_, throttle| throttle.is_closed_at(now));
        }
        // Too many different texts: all are forgotten, and at worst some text is logged twice.
        if self.logged.len() >= MEMORY {
            self.logged.clear();
        }
        let throttle = Throttle::new(INTERVAL);
        let first = throttle.admit_at(1, now).map(|occurrences| occurrences - 1);
        self.logged.insert(key.to_owned(), throttle);
        first
    }
}

/// The text without librdkafka's times and counts at its end: `(after 12ms in state CONNECT, 3
/// identical error(s) suppressed)`.
fn without_times(text: &str) -> &str {
    text.split(" (after ").next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_minute_with_the_number_of_times_it_was_left_out() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.admit("refused (after 1ms in state CONNECT)", start), Some(0));
        assert_eq!(
            repeats.admit("refused (after 2ms in state CONNECT)", start + INTERVAL / 2),
            None
        );
        assert_eq!(repeats.admit("another", start + INTERVAL / 2), Some(0));
        assert_eq!(repeats.admit("refused", start + INTERVAL - Duration::from_nanos(1)), None);
        assert_eq!(repeats.admit("refused", start + INTERVAL), Some(2));
        assert_eq!(repeats.admit("refused", start + INTERVAL), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        for n in 0..10 * MEMORY {
            assert_eq!(repeats.admit(&n.to_string(), start), Some(0));
            assert!(repeats.logged.len() <= MEMORY);
        }
        let later = start + INTERVAL;
        assert_eq!(repeats.admit("later", later), Some(0));
        assert!(repeats.logged.len() <= MEMORY);
    }
}
