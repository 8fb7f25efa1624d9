//! Which decisions are shown when there are too many. Pure, apart from the clock it is given.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Time between two decisions that are shown, while there are more.
const EVERY: Duration = Duration::from_millis(2);
/// Decisions that are shown at once after a pause, at most.
const AT_ONCE: u32 = 100;

/// Lets 500 decisions a second through, evenly, and up to a hundred at once after a pause.
pub(super) struct Sampler {
    start: Instant,
    /// Nanoseconds after `start` up to which the time is used up by decisions that were let
    /// through.
    used_until: AtomicU64,
}

impl Sampler {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), used_until: AtomicU64::new(0) }
    }

    /// Whether a decision at `now` is shown. Never waits: of several threads that ask at the same
    /// moment some may be refused.
    pub(super) fn admit(&self, now: Instant) -> bool {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let now = nanos(now.saturating_duration_since(self.start));
        let used = self.used_until.load(Relaxed);
        let begin = used.max(now);
        begin - now <= nanos(EVERY * (AT_ONCE - 1))
            && self
                .used_until
                .compare_exchange(used, begin.saturating_add(nanos(EVERY)), Relaxed, Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_sampled_evenly_and_a_burst_after_a_pause_is_shown() {
        let sampler = Sampler::new();
        // A decision each 10 µs, for 3 seconds.
        let admitted = |from: u64| {
            (0..100_000).filter(|n| sampler.admit(sampler.start + at(from, *n))).count()
        };
        fn at(second: u64, n: u64) -> Duration {
            Duration::from_secs(second) + Duration::from_micros(10 * n)
        }
        assert_eq!((admitted(0), admitted(1), admitted(2)), (599, 500, 500));
        let tenths: Vec<usize> = (0..10)
            .map(|tenth| {
                let from = tenth * 10_000;
                (from..from + 10_000).filter(|n| sampler.admit(sampler.start + at(3, *n))).count()
            })
            .collect();
        assert_eq!(tenths, [50; 10]);
        let later = sampler.start + Duration::from_secs(60);
        assert_eq!((0..1000).filter(|_| sampler.admit(later)).count(), AT_ONCE as usize);
    }
}
