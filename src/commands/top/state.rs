//! What is known of each worker, and what is looked at. Pure.

use jiff::Timestamp;

use crate::status::StatusReport;

/// Everything that is on the screen.
pub(crate) struct TopState {
    /// In the order of the command line; never empty.
    pub(crate) workers: Vec<WatchedWorker>,
    /// Position of the worker whose details are shown.
    pub(crate) selected: usize,
    /// The words are explained.
    pub(crate) help: bool,
}

/// What is known of one worker.
pub(crate) struct WatchedWorker {
    /// Its address.
    pub(crate) name: String,
    /// Its last report.
    pub(crate) report: Option<StatusReport>,
    /// Between its last two reports.
    pub(crate) rates: Option<EventRates>,
    /// Set while it does not answer.
    pub(crate) silence: Option<WorkerSilence>,
}

/// Events in one second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EventRates {
    pub(crate) received: f64,
    pub(crate) written: f64,
}

/// Why a worker does not answer, and since when.
pub(crate) struct WorkerSilence {
    pub(crate) since: Timestamp,
    pub(crate) reason: String,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopKey {
    Quit,
    Up,
    Down,
    Help,
    /// Nothing but a look at the size of the terminal.
    Redraw,
}

impl TopState {
    /// Nothing is known of the workers of these `names`; there is at least one.
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let unknown = |name| WatchedWorker { name, report: None, rates: None, silence: None };
        Self { workers: names.into_iter().map(unknown).collect(), selected: 0, help: false }
    }

    /// The worker whose details are shown.
    pub(crate) fn selected(&self) -> &WatchedWorker {
        &self.workers[self.selected]
    }

    /// Takes the answer of one worker, which came at `now`, or why there is none.
    pub(crate) fn answered(
        &mut self,
        worker: usize,
        answer: Result<StatusReport, String>,
        now: Timestamp,
    ) {
        let worker = &mut self.workers[worker];
        match answer {
            Ok(report) => {
                worker.rates =
                    worker.report.as_ref().and_then(|before| EventRates::between(before, &report));
                worker.report = Some(report);
                worker.silence = None;
            }
            Err(reason) => {
                let since = worker.silence.as_ref().map_or(now, |silence| silence.since);
                worker.silence = Some(WorkerSilence { since, reason });
                worker.rates = None;
            }
        }
    }

    /// Does what `key` asks for; true when that is the end.
    pub(crate) fn press(&mut self, key: TopKey) -> bool {
        match key {
            TopKey::Quit => return true,
            TopKey::Up => self.selected = self.selected.saturating_sub(1),
            TopKey::Down => self.selected = (self.selected + 1).min(self.workers.len() - 1),
            TopKey::Help => self.help = !self.help,
            TopKey::Redraw => {}
        }
        false
    }
}

impl EventRates {
    /// `None` if the worker was started anew in between.
    fn between(before: &StatusReport, after: &StatusReport) -> Option<Self> {
        let seconds = (after.now.as_millisecond() - before.now.as_millisecond()) as f64 / 1e3;
        if before.started != after.started || seconds <= 0.0 {
            return None;
        }
        let sum = |report: &StatusReport| {
            report.sources.iter().fold((0, 0), |(received, written), source| {
                (received + source.received, written + source.written)
            })
        };
        let (before, after) = (sum(before), sum(after));
        let rate = |before: u64, after: u64| after.saturating_sub(before) as f64 / seconds;
        Some(Self { received: rate(before.0, after.0), written: rate(before.1, after.1) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::example::report;
    use super::*;

    fn later(seconds: i64, events: u64) -> StatusReport {
        let mut report = report();
        report.now += jiff::SignedDuration::from_secs(seconds);
        report.sources[0].received += events;
        report.sources[0].written += events / 2;
        report
    }

    #[test]
    fn rates_are_those_between_two_reports_of_one_process() {
        let mut state = TopState::new(["w".to_owned()]);
        let mut answer = |report| {
            state.answered(0, report, Timestamp::UNIX_EPOCH);
            state.workers[0].rates
        };
        assert_eq!(answer(Ok(report())), None);
        assert_eq!(answer(Ok(later(2, 100))), Some(EventRates { received: 50.0, written: 25.0 }));
        assert_eq!(answer(Err("gone".to_owned())), None);
        let mut anew = later(4, 0);
        anew.started = anew.now;
        assert_eq!(answer(Ok(anew)), None, "its counters began at 0");
    }

    #[test]
    fn a_worker_is_silent_since_its_first_answer_that_did_not_come() {
        let mut state = TopState::new(["w".to_owned()]);
        let at = |second| Timestamp::from_second(second).unwrap();
        state.answered(0, Ok(report()), at(0));
        for second in [1, 2] {
            state.answered(0, Err("refused".to_owned()), at(second));
            assert_eq!(state.selected().silence.as_ref().unwrap().since, at(1));
        }
        assert!(state.selected().report.is_some(), "what it said last is kept");
        state.answered(0, Ok(report()), at(3));
        assert!(state.selected().silence.is_none());
    }

    #[test]
    fn keys_choose_a_worker_and_end_it() {
        let mut state = TopState::new(["a", "b"].map(str::to_owned));
        for (key, selected) in [
            (TopKey::Up, 0),
            (TopKey::Down, 1),
            (TopKey::Down, 1),
            (TopKey::Redraw, 1),
            (TopKey::Up, 0),
        ] {
            assert!(!state.press(key));
            assert_eq!(state.selected, selected);
        }
        assert!(!state.press(TopKey::Help) && state.help);
        assert!(state.press(TopKey::Quit));
    }
}
