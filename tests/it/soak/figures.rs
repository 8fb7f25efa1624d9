//! What a soak measures, and its row in the matrix.

use std::time::Duration;

use crate::harness::matrix::{note, variable};

/// How much more memory the worker may hold at the end, in KiB: the buffers of the lanes, the
/// Kafka client and the allocator grow to what the hardest fault needs, and that may come late.
const MORE_MEMORY: u64 = 16 << 10;
/// And for each hour. What leaks with every event or connection is above that by far.
const MORE_MEMORY_PER_HOUR: u64 = 1 << 10;
/// How many more descriptors or threads there may be (invariant I5): one that is about to close,
/// or a thread that has not ended yet. The median leaves out most of them.
const MORE_HANDLES: u64 = 5;

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resources {
    /// Resident memory in KiB.
    memory: u64,
    descriptors: u64,
    threads: u64,
}

impl Resources {
    pub(super) fn of(pid: u32) -> Self {
        let status =
            std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the worker runs");
        let number = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name));
            let number = rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            number.expect("a number")
        };
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the worker runs");
        Self {
            memory: number("VmRSS:"),
            descriptors: descriptors.count() as u64,
            threads: number("Threads:"),
        }
    }

    /// The median of each figure.
    fn median<'a>(samples: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let middle = |figure: fn(&Self) -> u64| {
            let mut all: Vec<u64> = samples.clone().map(figure).collect();
            all.sort_unstable();
            all[all.len() / 2]
        };
        Self {
            memory: middle(|held| held.memory),
            descriptors: middle(|held| held.descriptors),
            threads: middle(|held| held.threads),
        }
    }
}

/// The figures of one soak; its row is written on drop, so that a failed one has a row, too.
pub(super) struct Figures {
    seconds: u64,
    /// Events that were acknowledged, or read and committed.
    pub(super) events: u64,
    /// Of these, how many are not in Redis.
    pub(super) lost: usize,
    /// What the worker held while no fault was played: before the first one, after the first one..
    rests: Vec<Vec<Resources>>,
    slowest: Duration,
    passed: bool,
}

impl Figures {
    pub(super) fn new(seconds: u64) -> Self {
        let rests = vec![Vec::new()];
        Self { seconds, events: 0, lost: 0, rests, slowest: Duration::ZERO, passed: false }
    }

    pub(super) fn sample(&mut self, held: Resources) {
        self.rests.last_mut().expect("never empty").push(held);
    }

    /// A fault was cured, and after `time` events were acknowledged again.
    pub(super) fn recovered(&mut self, time: Duration) {
        self.slowest = self.slowest.max(time);
        self.rests.push(Vec::new());
    }

    fn faults(&self) -> usize {
        self.rests.len() - 1
    }

    /// The medians of the first part, which begins after the first fault, and of the last one.
    /// `None` before the second fault.
    fn ends(&self) -> Option<[Resources; 2]> {
        let faults = self.faults();
        let parts = [1..=(faults / 3).max(1), (faults - faults / 6).max(2)..=faults];
        let samples = |part| self.rests.get(part).map(|rests: &[Vec<_>]| rests.iter().flatten());
        let [first, last] = parts.map(samples);
        let (first, last) = (first?, last?);
        (first.clone().count() > 0 && last.clone().count() > 0)
            .then(|| [Resources::median(first), Resources::median(last)])
    }

    /// Checks that nothing is lost, and that memory, descriptors and threads do not grow.
    pub(super) fn check(mut self) {
        assert_eq!(self.lost, 0, "events that were acknowledged are lost");
        let [first, last] = self.ends().expect("two faults");
        let memory = first.memory + MORE_MEMORY + MORE_MEMORY_PER_HOUR * self.seconds / 3600;
        let grew = last.memory > memory
            || last.descriptors > first.descriptors + MORE_HANDLES
            || last.threads > first.threads + MORE_HANDLES;
        assert!(!grew, "grew from {first:?} to {last:?}");
        self.passed = true;
    }

    /// The row: `soak seconds date events faults lost memory-first memory-last descriptors-first
    /// descriptors-last threads-first threads-last slowest ok`, separated by tabs; memory in KiB,
    /// times in milliseconds.
    fn line(&self) -> String {
        let held = self.ends().map_or("-\t-\t-\t-\t-\t-".to_owned(), |[first, last]| {
            let pairs = [
                (first.memory, last.memory),
                (first.descriptors, last.descriptors),
                (first.threads, last.threads),
            ];
            pairs.map(|(first, last)| format!("{first}\t{last}")).join("\t")
        });
        let Self { seconds, events, lost, slowest, passed, .. } = self;
        let (date, faults, slowest) =
            (jiff::Zoned::now().date(), self.faults(), slowest.as_millis());
        let verdict = if *passed { "ok" } else { "FAILED" };
        format!(
            "soak\t{seconds}\t{date}\t{events}\t{faults}\t{lost}\t{held}\t{slowest}\t{verdict}\n"
        )
    }
}

impl Drop for Figures {
    fn drop(&mut self) {
        // The short run of an ordinary test run is no row of the matrix.
        if variable::<u64>("TRAITSINK_SOAK_SECONDS").is_some() {
            note(&self.line());
        } else {
            print!("{}", self.line());
        }
    }
}
