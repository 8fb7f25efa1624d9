//! Says the same thing once a minute, not once a second. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

const REST: Duration = Duration::from_secs(60);
/// Different texts that are remembered.
const MEMORY: usize = 64;

/// What was said lately.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    said: HashMap<String, Said>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    kept_back: u64,
}

impl Repeats {
    /// Whether to say `text` at `now`, and how often it was kept back since it was last said.
    pub(super) fn admit(&mut self, text: &str, now: Instant) -> Option<u64> {
        let key = gist(text);
        if let Some(said) = self.said.get_mut(key) {
            if now.saturating_duration_since(said.at) < REST {
                said.kept_back += 1;
                return None;
            }
            said.at = now;
            return Some(std::mem::take(&mut said.kept_back));
        }
        if self.said.len() >= MEMORY {
            self.said.retain(|_, said| now.saturating_duration_since(said.at) < REST);
        }
        // A storm of different texts: forgetting all is cheap, and says something twice at worst.
        if self.said.len() >= MEMORY {
            self.said.clear();
        }
        self.said.insert(key.to_owned(), Said { at: now, kept_back: 0 });
        Some(0)
    }
}

/// The text without librdkafka's tail of times and counts: `(after 12ms in state CONNECT, 3
/// identical error(s) suppressed)`.
fn gist(text: &str) -> &str {
    text.split(" (after ").next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_minute_and_how_often_it_was_kept_back() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.admit("refused (after 1ms in state CONNECT)", start), Some(0));
        assert_eq!(repeats.admit("refused (after 2ms in state CONNECT)", start + REST / 2), None);
        assert_eq!(repeats.admit("another", start + REST / 2), Some(0));
        assert_eq!(repeats.admit("refused", start + REST - Duration::from_nanos(1)), None);
        assert_eq!(repeats.admit("refused", start + REST), Some(2));
        assert_eq!(repeats.admit("refused", start + REST), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        for n in 0..10 * MEMORY {
            assert_eq!(repeats.admit(&n.to_string(), start), Some(0));
            assert!(repeats.said.len() <= MEMORY);
        }
        let later = start + REST;
        assert_eq!(repeats.admit("later", later), Some(0));
        assert!(repeats.said.len() <= MEMORY);
    }
}
