//! Trips when so many events become dead letters that the configuration is to blame, not the
//! events. Pure.

/// Counts the events of a worker in the order in which they are settled.
#[derive(Debug)]
pub struct Breaker {
    consecutive: u64,
    row: u64,
    ratio: f64,
    window: Window,
    tripped: bool,
}

impl Breaker {
    /// Trips after `consecutive` dead letters in a row, or, once `window` events were seen, when at
    /// least `ratio` (0 to 1) of the last `window` were dead letters. 0 switches a rule off.
    pub fn new(consecutive: u64, ratio: f64, window: usize) -> Self {
        let window = Window::new(if ratio > 0.0 { window } else { 0 });
        Self { consecutive, row: 0, ratio, window, tripped: false }
    }

    /// Counts one event. Returns whether the breaker has tripped, now or before.
    pub fn count(&mut self, dead_lettered: bool) -> bool {
        self.row = if dead_lettered { self.row + 1 } else { 0 };
        self.window.push(dead_lettered);
        let in_a_row = self.consecutive > 0 && self.row >= self.consecutive;
        self.tripped |= in_a_row || self.window.share().is_some_and(|share| share >= self.ratio);
        self.tripped
    }

    /// Whether it remembers no dead letter, so that counting one more event that is none changes
    /// nothing.
    pub fn is_clear(&self) -> bool {
        let Window { len, full, ones, .. } = self.window;
        !self.tripped && self.row == 0 && (len == 0 || (full && ones == 0))
    }
}

/// The last events, one bit each: 1 is a dead letter.
#[derive(Debug)]
struct Window {
    bits: Vec<u64>,
    len: usize,
    next: usize,
    full: bool,
    ones: usize,
}

impl Window {
    fn new(len: usize) -> Self {
        Self { bits: vec![0; len.div_ceil(64)], len, next: 0, full: false, ones: 0 }
    }

    fn push(&mut self, one: bool) {
        let Some(word) = self.bits.get_mut(self.next / 64) else { return };
        let bit = 1 << (self.next % 64);
        self.ones = self.ones + usize::from(one) - usize::from(*word & bit != 0);
        *word = if one { *word | bit } else { *word & !bit };
        self.next += 1;
        if self.next == self.len {
            self.next = 0;
            self.full = true;
        }
    }

    /// The share of ones, when the window is full.
    fn share(&self) -> Option<f64> {
        self.full.then(|| self.ones as f64 / self.len as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many of these events were counted when it tripped; `None` if it did not.
    fn trips(mut breaker: Breaker, events: impl IntoIterator<Item = bool>) -> Option<usize> {
        events.into_iter().position(|dead| breaker.count(dead)).map(|at| at + 1)
    }

    #[test]
    fn it_trips_after_so_many_in_a_row() {
        let breaker = || Breaker::new(3, 0.0, 0);
        assert_eq!(trips(breaker(), [true, true, false, true, true, true, true]), Some(6));
        assert_eq!(trips(breaker(), [true, true, false].repeat(1000)), None);
    }

    #[test]
    fn it_trips_at_a_share_of_the_last_events() {
        let breaker = || Breaker::new(0, 0.5, 4);
        assert_eq!(trips(breaker(), [true, true, true]), None, "too few to judge");
        assert_eq!(trips(breaker(), [true, true, false, false]), Some(4));
        assert_eq!(
            trips(breaker(), [false, false, false, true, false, false, true, true]),
            Some(7)
        );
        assert_eq!(trips(breaker(), [false, false, false, true].repeat(1000)), None);
        assert_eq!(
            trips(Breaker::new(0, 0.07, 100), (0..100).map(|n| n < 7)),
            Some(100),
            "the ratio itself is enough"
        );
    }

    #[test]
    fn once_tripped_it_stays_so() {
        let mut breaker = Breaker::new(1, 0.0, 0);
        assert!(!breaker.count(false));
        assert!(breaker.count(true));
        assert!(breaker.count(false));
    }

    #[test]
    fn zero_switches_a_rule_off() {
        for breaker in [Breaker::new(0, 0.0, 0), Breaker::new(0, 0.0, 10), Breaker::new(0, 0.5, 0)]
        {
            assert_eq!(trips(breaker, [true; 1000]), None);
        }
    }

    #[test]
    fn it_is_clear_once_its_window_is_full_of_good_events() {
        let mut breaker = Breaker::new(3, 0.5, 4);
        for (dead, clear) in [
            (false, false),
            (false, false),
            (false, false),
            (false, true),
            (true, false),
            (false, false),
            (false, false),
            (false, false),
            (false, true),
        ] {
            breaker.count(dead);
            assert_eq!(breaker.is_clear(), clear);
        }
        let mut breaker = Breaker::new(1, 0.0, 0);
        assert!(breaker.is_clear());
        breaker.count(true);
        breaker.count(false);
        assert!(!breaker.is_clear(), "it has tripped");
    }

    proptest! {
        #[test]
        fn it_agrees_with_looking_at_all_events(
            events in proptest::collection::vec(proptest::bool::weighted(0.7), 0..400),
            consecutive in prop_oneof![Just(0), 1_u64..20],
            percent in 0_u32..=100, window in 0_usize..150,
        ) {
            let ratio = f64::from(percent) / 100.0;
            let reference = (1..=events.len()).find(|&seen| {
                let row = events[..seen].iter().rev().take_while(|&&dead| dead).count() as u64;
                let dead = |window: &[bool]| window.iter().filter(|&&dead| dead).count();
                let share = || dead(&events[seen - window..seen]) as f64 / window as f64;
                (consecutive > 0 && row >= consecutive)
                    || (percent > 0 && window > 0 && seen >= window && share() >= ratio)
            });
            prop_assert_eq!(trips(Breaker::new(consecutive, ratio, window), events), reference);
        }
    }
}
