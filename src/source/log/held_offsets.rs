//! Which watermark may be committed when commits are held back for a while. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often watermarks are noted at most in the time that they are held back.
const NOTES: u32 = 100;

/// The watermarks of one partition, each held back for a while: until its offset is committed, a
/// record whose write Redis lost after confirming it can be read again.
#[derive(Debug)]
pub struct HeldOffsets {
    /// How long a watermark is held back.
    lag: Duration,
    /// Watermarks and when each was reached, oldest first.
    waiting: VecDeque<(Instant, i64)>,
    /// The first record that was read.
    start: Option<i64>,
    /// The watermark that may be committed.
    due: Option<i64>,
    /// Watermarks do not count until [`HeldOffsets::begin`].
    is_void: bool,
}

impl HeldOffsets {
    /// With a `lag` of zero nothing is held back.
    pub fn new(lag: Duration) -> Self {
        Self { lag, waiting: VecDeque::new(), start: None, due: None, is_void: false }
    }

    /// A record was read.
    pub fn read(&mut self, offset: i64) {
        self.start.get_or_insert(offset);
    }

    /// Whether any record was read.
    pub fn has_read(&self) -> bool {
        self.start.is_some()
    }

    /// Notes the watermark at `now`.
    pub fn note(&mut self, watermark: i64, now: Instant) {
        if self.lag.is_zero() {
            self.due = Some(watermark);
            return;
        }
        let is_new = self.waiting.back().map_or(self.due != Some(watermark), |&(at, last)| {
            last != watermark && now - at >= self.lag / NOTES
        });
        if is_new && !self.is_void {
            self.waiting.push_back((now, watermark));
        }
    }

    /// Releases watermarks that were reached `lag` before `now`. Call this only when Redis has
    /// answered of late, and was not replaced since.
    pub fn release(&mut self, now: Instant) {
        while let Some((at, watermark)) = self.waiting.front()
            && now - *at >= self.lag
        {
            self.due = Some(*watermark);
            self.waiting.pop_front();
        }
    }

    /// Redis may have lost writes behind the watermarks that are held back. Returns the offset to
    /// read again from; `None` when there is nothing.
    pub fn void(&mut self) -> Option<i64> {
        if self.lag.is_zero() {
            return None;
        }
        self.waiting.clear();
        let back_to = self.due.or(self.start);
        self.is_void = back_to.is_some();
        back_to
    }

    /// Reading continues from the offset that [`HeldOffsets::void`] returned.
    pub fn begin(&mut self) {
        self.is_void = false;
    }

    /// The watermark that may be committed.
    pub fn due(&self) -> Option<i64> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAG: Duration = Duration::from_secs(10);

    fn at(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn without_a_lag_the_watermark_is_due_at_once() {
        let mut held = HeldOffsets::new(Duration::ZERO);
        held.read(3);
        assert_eq!(held.due(), None);
        held.note(4, Instant::now());
        assert_eq!((held.due(), held.void()), (Some(4), None));
        held.note(5, Instant::now());
        assert_eq!(held.due(), Some(5));
    }

    #[test]
    fn a_watermark_is_due_when_it_is_as_old_as_the_lag() {
        let (mut held, begin) = (HeldOffsets::new(LAG), Instant::now());
        held.note(10, begin);
        held.note(20, at(begin, 4));
        held.release(at(begin, 9));
        assert_eq!(held.due(), None);
        held.release(at(begin, 10));
        assert_eq!(held.due(), Some(10));
        held.release(at(begin, 60));
        assert_eq!(held.due(), Some(20));
    }

    #[test]
    fn what_was_reached_before_a_switch_never_becomes_due() {
        let (mut held, begin) = (HeldOffsets::new(LAG), Instant::now());
        assert_eq!(held.void(), None, "nothing was read");
        held.read(5);
        held.note(20, begin);
        assert_eq!(held.void(), Some(5), "nothing is committed: back to the first");
        // Events in flight are settled.
        held.note(21, at(begin, 1));
        held.release(at(begin, 60));
        assert_eq!(held.due(), None);
        held.begin();
        held.read(5);
        held.note(6, at(begin, 61));
        held.release(at(begin, 71));
        assert_eq!((held.due(), held.void()), (Some(6), Some(6)));
    }

    proptest! {
        /// Against all that was ever noted: never ahead of the watermark of `LAG` ago, behind it by
        /// a hundredth at most, and in bounded room.
        #[test]
        fn it_follows_the_watermark_at_a_distance(
            steps in prop::collection::vec((1u64..3000, 0i64..3), 1..400),
        ) {
            let (mut held, begin) = (HeldOffsets::new(LAG), Instant::now());
            let mut all = vec![(Duration::ZERO, 0)];
            for (millis, more) in steps {
                let (time, watermark) = *all.last().unwrap();
                let (time, watermark) = (time + Duration::from_millis(millis), watermark + more);
                all.push((time, watermark));
                held.note(watermark, begin + time);
                held.release(begin + time);
                let of = |age: Duration| {
                    let upto = all.iter().rev().find(|(at, _)| *at + age <= time);
                    upto.map_or(0, |(_, watermark)| *watermark)
                };
                let due = held.due().unwrap_or(0);
                prop_assert!(due <= of(LAG), "{due} {}", of(LAG));
                // Notes are as far apart as the steps at least.
                prop_assert!(due >= of(LAG + LAG / NOTES + Duration::from_secs(3)), "{due}");
                prop_assert!(held.waiting.len() <= NOTES as usize + 1);
            }
        }
    }
}
