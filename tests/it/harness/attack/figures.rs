//! The cost of an attack to honest clients, and its limits.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::matrix;
use super::MOST_MEMORY_KIB;
use super::honest::HonestRequest;
use super::prober::Probe;

const MOST_MEDIAN: Duration = Duration::from_millis(20);
const SLOWEST_LIVE: Duration = Duration::from_secs(1);

/// One row of the table; written on drop, so that a failed attack has a row, too.
pub(super) struct Figures {
    words: &'static str,
    seconds: u64,
    requests: usize,
    answered: usize,
    median: Duration,
    percentile_99: Duration,
    slowest_live: Duration,
    memory_kib: u64,
    /// Number of answers with each status other than 200; `None` is no answer.
    others: BTreeMap<Option<u16>, usize>,
    /// Probes that were not answered 200.
    dead_probes: usize,
}

impl Figures {
    pub(super) fn new(
        words: &'static str,
        seconds: u64,
        sent: &[HonestRequest],
        probes: &[Probe],
        memory_kib: u64,
    ) -> Self {
        let mut times: Vec<Duration> = sent.iter().map(|sent| sent.took).collect();
        times.sort_unstable();
        let at = |part: usize| {
            times.get((times.len() * part / 100).min(times.len() - 1)).copied().unwrap_or_default()
        };
        let mut others = BTreeMap::new();
        for sent in sent.iter().filter(|sent| sent.status != Some(200)) {
            *others.entry(sent.status).or_default() += 1;
        }
        Self {
            words,
            seconds,
            requests: sent.len(),
            answered: sent.iter().filter(|sent| sent.status == Some(200)).count(),
            median: at(50),
            percentile_99: at(99),
            slowest_live: probes.iter().map(|probe| probe.took).max().unwrap_or_default(),
            memory_kib,
            others,
            dead_probes: probes.iter().filter(|probe| !probe.answered).count(),
        }
    }

    /// Every limit that was exceeded. Times count only if `timed`.
    pub(super) fn faults(&self, timed: bool) -> Vec<String> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        let Self { requests, answered, others, dead_probes, memory_kib, .. } = self;
        expect(
            answered * 100 >= requests * 99,
            format!("{answered} of {requests} honest requests were answered 200: {others:?}"),
        );
        expect(*dead_probes == 0, format!("{dead_probes} probes were not answered 200"));
        expect(
            *memory_kib <= MOST_MEMORY_KIB,
            format!("{memory_kib} KiB of memory, {MOST_MEMORY_KIB} may be"),
        );
        if timed {
            expect(self.median < MOST_MEDIAN, format!("the median latency was {:?}", self.median));
            expect(self.slowest_live < SLOWEST_LIVE, format!("/live took {:?}", self.slowest_live));
        }
        faults
    }

    /// The row: `attack words seconds answered requests median p99 live memory result`, separated
    /// by tabs; times in microseconds, memory in KiB.
    fn line(&self) -> String {
        let Self { words, seconds, answered, requests, memory_kib, .. } = self;
        let [median, percentile_99, live] =
            [self.median, self.percentile_99, self.slowest_live].map(|time| time.as_micros());
        let result = if std::thread::panicking() { "FAILED" } else { "ok" };
        format!(
            "attack\t{words}\t{seconds}\t{answered}\t{requests}\t{median}\t{percentile_99}\t\
             {live}\t{memory_kib}\t{result}\n"
        )
    }
}

impl Drop for Figures {
    fn drop(&mut self) {
        matrix::note(&self.line());
    }
}
