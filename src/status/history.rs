//! The last ten minutes: rates and freshness from counters that only grow. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use super::report::HistoryReport;

/// The time between two samples.
pub(super) const STEP: Duration = Duration::from_secs(2);
/// The number of values that are kept: ten minutes.
const KEPT: usize = 300;

/// The counters at one moment, all sources together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    /// Time since the first sample.
    pub(super) at: Duration,
    /// Events received.
    pub(super) received: u64,
    /// Events written.
    pub(super) written: u64,
    /// The buckets of the freshness: the upper bound of each in seconds, the last one infinite, and
    /// the events up to it.
    pub(super) freshness: Vec<(f64, u64)>,
}

/// What happened between two samples.
#[derive(Debug, Clone, Copy)]
struct HistoryStep {
    received: f64,
    written: f64,
    p50: Option<f64>,
    p99: Option<f64>,
}

/// The steps of the last ten minutes.
#[derive(Debug, Default)]
pub(super) struct History {
    last: Option<Sample>,
    steps: VecDeque<HistoryStep>,
}

impl History {
    /// Adds a step: the difference to the sample before. Where samples were missed, because the
    /// process was frozen or the machine slept, it stands for as many steps as the time that
    /// passed.
    pub(super) fn add(&mut self, sample: Sample) {
        if let Some(last) = &self.last {
            let passed = sample.at.saturating_sub(last.at);
            let rate = |now: u64, before: u64| {
                now.saturating_sub(before) as f64
                    / passed.max(Duration::from_millis(1)).as_secs_f64()
            };
            let between = difference(&last.freshness, &sample.freshness);
            let step = HistoryStep {
                received: rate(sample.received, last.received),
                written: rate(sample.written, last.written),
                p50: quantile(0.5, &between),
                p99: quantile(0.99, &between),
            };
            let count = (passed.as_secs_f64() / STEP.as_secs_f64()).round() as usize;
            for _ in 0..count.clamp(1, KEPT) {
                if self.steps.len() == KEPT {
                    self.steps.pop_front();
                }
                self.steps.push_back(step);
            }
        }
        self.last = Some(sample);
    }

    /// The steps, the oldest first.
    pub(super) fn report(&self) -> HistoryReport {
        HistoryReport {
            step_seconds: STEP.as_secs(),
            received_per_second: self.steps.iter().map(|step| step.received).collect(),
            written_per_second: self.steps.iter().map(|step| step.written).collect(),
            freshness_p50_seconds: self.steps.iter().map(|step| step.p50).collect(),
            freshness_p99_seconds: self.steps.iter().map(|step| step.p99).collect(),
        }
    }
}

/// The buckets of what was counted between two samples.
fn difference(before: &[(f64, u64)], now: &[(f64, u64)]) -> Vec<(f64, u64)> {
    let pairs = before.iter().zip(now);
    pairs.map(|((_, before), (bound, now))| (*bound, now.saturating_sub(*before))).collect()
}

/// The value below which the part `q` of all counted values lies, as Prometheus estimates it: they
/// are spread evenly over their bucket, and those beyond the last finite bound count as that bound.
/// `None`: nothing was counted.
fn quantile(q: f64, buckets: &[(f64, u64)]) -> Option<f64> {
    let (_, all) = *buckets.last()?;
    if all == 0 {
        return None;
    }
    let rank = q * all as f64;
    let at = buckets.iter().position(|(_, up_to)| *up_to as f64 >= rank)?;
    let (lower, below) = if at == 0 { (0.0, 0) } else { buckets[at - 1] };
    let (upper, up_to) = buckets[at];
    if upper.is_infinite() {
        return Some(lower);
    }
    let inside = up_to.saturating_sub(below) as f64;
    Some(if inside == 0.0 {
        lower
    } else {
        lower + (upper - lower) * (rank - below as f64) / inside
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: f64, received: u64, written: u64, counts: [u64; 4]) -> Sample {
        let bounds = [1.0, 2.0, 4.0, f64::INFINITY];
        Sample {
            at: Duration::from_secs_f64(seconds),
            received,
            written,
            freshness: bounds.into_iter().zip(counts).collect(),
        }
    }

    #[test]
    fn rates_are_differences_over_the_time_that_passed() {
        let mut history = History::default();
        history.add(sample(0.0, 1000, 500, [0; 4]));
        assert_eq!(history.report().received_per_second, [0.0; 0], "one sample is no step");
        history.add(sample(2.0, 1100, 500, [0; 4]));
        history.add(sample(4.5, 1100, 510, [0; 4]));
        let report = history.report();
        assert_eq!(report.step_seconds, 2);
        assert_eq!(report.received_per_second, [50.0, 0.0]);
        assert_eq!(report.written_per_second, [0.0, 4.0]);
        assert_eq!(report.freshness_p50_seconds, [None, None]);
        assert_eq!(report.freshness_p99_seconds, [None, None]);
    }

    #[test]
    fn freshness_is_that_of_the_step_alone() {
        let mut history = History::default();
        history.add(sample(0.0, 0, 0, [900, 900, 900, 900]));
        // 50 up to one second, 50 from two to four.
        history.add(sample(2.0, 0, 0, [950, 950, 1000, 1000]));
        history.add(sample(4.0, 0, 0, [950, 950, 1000, 1000]));
        let report = history.report();
        assert_eq!(report.freshness_p50_seconds, [Some(1.0), None]);
        assert_eq!(report.freshness_p99_seconds, [Some(2.0 + 2.0 * 49.0 / 50.0), None]);
    }

    #[test]
    fn quantiles_are_spread_over_their_bucket() {
        let buckets = |counts: [u64; 4]| sample(0.0, 0, 0, counts).freshness;
        for (q, counts, expected) in [
            (0.5, [0, 0, 0, 0], None),
            (0.5, [10, 10, 10, 10], Some(0.5)),
            (0.99, [100, 100, 100, 100], Some(0.99)),
            (0.5, [0, 10, 10, 10], Some(1.5)),
            (0.5, [0, 0, 0, 10], Some(4.0)),
            (0.99, [1, 1, 1, 1], Some(0.99)),
            (0.5, [1, 1, 1, 3], Some(4.0)),
        ] {
            assert_eq!(quantile(q, &buckets(counts)), expected, "{q} of {counts:?}");
        }
    }

    #[test]
    fn missed_samples_are_filled_and_ten_minutes_are_kept() {
        let mut history = History::default();
        history.add(sample(0.0, 0, 0, [0; 4]));
        history.add(sample(10.0, 100, 0, [0; 4]));
        assert_eq!(history.report().received_per_second, [10.0; 5]);
        for number in 1..=400_u64 {
            let at = 10.0 + 2.0 * number as f64;
            history.add(sample(at, 100 + number * 2, 0, [0; 4]));
        }
        assert_eq!(history.report().received_per_second, [1.0; KEPT]);
        history.add(sample(1e6, 900, 0, [0; 4]));
        let report = history.report();
        let lengths = [
            report.received_per_second.len(),
            report.written_per_second.len(),
            report.freshness_p50_seconds.len(),
            report.freshness_p99_seconds.len(),
        ];
        assert_eq!(lengths, [KEPT; 4]);
    }

    #[test]
    fn counters_that_step_back_are_no_negative_rate() {
        let mut history = History::default();
        history.add(sample(2.0, 10, 10, [10; 4]));
        history.add(sample(1.0, 5, 5, [5; 4]));
        let report = history.report();
        assert_eq!(
            (report.received_per_second, report.freshness_p50_seconds),
            (vec![0.0], vec![None])
        );
    }
}
