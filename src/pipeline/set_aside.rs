//! Keys whose writes are refused for unknown reasons: tried again now and then, while their lane
//! goes on with other keys.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGauge;
use tokio::time::Instant;

use super::batch::joinable;
use super::job::Job;
use crate::redis::Forms;

/// Refused keys of one lane, each with its events in the order in which they were accepted. The
/// events hold their room.
pub(super) struct SetAsideKeys {
    forms: Arc<Forms>,
    keys: HashMap<Vec<u8>, SetAsideKey>,
    /// When the next key is due.
    next_due: Option<Instant>,
    /// When the first of the keys was set aside.
    since: Instant,
    retry_min: Duration,
    retry_max: Duration,
    gauge: IntGauge,
    counted: i64,
}

/// The events of one key.
struct SetAsideKey {
    jobs: VecDeque<Job>,
    next_write: NextWrite,
    due: Instant,
    pause: Duration,
    /// The first jobs are taken out to be written, and come back or are settled.
    out: bool,
}

/// The events of a key that are written next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextWrite {
    /// All events in one write.
    All,
    /// The first event, and those after it up to the last one that was sent before and may have
    /// been applied: the first event alone would overwrite them for a moment.
    Sent,
    /// So many events: some were sent before, and one is poison. Those that were applied stand
    /// before it, so the longest accepted start is looked for, and nothing older is written over
    /// it.
    Start(usize),
    /// The first event alone.
    First,
}

impl SetAsideKeys {
    pub(super) fn new(
        forms: &Arc<Forms>,
        retry_min: Duration,
        retry_max: Duration,
        gauge: IntGauge,
    ) -> Self {
        Self {
            forms: Arc::clone(forms),
            keys: HashMap::new(),
            next_due: None,
            since: Instant::now(),
            retry_min,
            retry_max,
            gauge,
            counted: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// When the first of the keys that are set aside came.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Keys that are set aside.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.next_due
    }

    /// Puts the refused `jobs` of one key back in front of those that wait. Several are tried one
    /// by one, at once; a single one, or several that must stay together, after a pause.
    pub(super) fn refused(&mut self, jobs: Vec<Job>, now: Instant) {
        let Some(key) = jobs.first().map(|job| job.update.key().to_vec()) else { return };
        if self.is_empty() {
            self.since = now;
        }
        let (retry_min, retry_max) = (self.retry_min, self.retry_max);
        let waiting = self.keys.entry(key).or_insert_with(|| SetAsideKey::new(retry_min, now));
        let sent = jobs.iter().rposition(Job::sent).is_some_and(|last| last > 0);
        let split =
            jobs.len() > 1 && matches!(waiting.next_write, NextWrite::All | NextWrite::Start(_));
        waiting.next_write = match waiting.next_write {
            NextWrite::Start(_) if jobs.len() > 1 => NextWrite::Start(jobs.len() - 1),
            NextWrite::Start(_) | NextWrite::First => NextWrite::First,
            NextWrite::All | NextWrite::Sent if sent => NextWrite::Sent,
            NextWrite::All | NextWrite::Sent => NextWrite::First,
        };
        if split {
            waiting.due = now;
        } else {
            waiting.due = now + waiting.pause;
            waiting.pause = (waiting.pause * 2).min(retry_max);
        }
        waiting.give_back(jobs);
    }

    /// The `count` events of `key` were refused together, some of them `sent` before: from now on
    /// they are written so that the poison among them is found.
    pub(super) fn split(&mut self, key: &[u8], count: usize, sent: bool, now: Instant) {
        if let Some(waiting) = self.keys.get_mut(key) {
            waiting.next_write = if sent { NextWrite::Start(count - 1) } else { NextWrite::First };
            waiting.due = now;
        }
    }

    /// Puts `jobs` of one key back that were not answered, or could not be sent. They are tried
    /// again after a pause.
    pub(super) fn unanswered(&mut self, jobs: Vec<Job>, now: Instant) {
        let Some(key) = jobs.first().map(|job| job.update.key().to_vec()) else { return };
        let waiting = self.keys.entry(key).or_insert_with(|| SetAsideKey::new(self.retry_min, now));
        waiting.due = now + waiting.pause;
        waiting.give_back(jobs);
    }

    /// The first events of `key` are settled: those that waited behind them are tried at once,
    /// together.
    pub(super) fn settled(&mut self, key: &[u8], now: Instant) {
        let Some(waiting) = self.keys.get_mut(key) else { return };
        *waiting = SetAsideKey {
            jobs: std::mem::take(&mut waiting.jobs),
            ..SetAsideKey::new(self.retry_min, now)
        };
    }

    /// Keeps the jobs whose keys are set aside, behind those that wait already; the others come
    /// back.
    pub(super) fn divert(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        if self.is_empty() {
            return jobs;
        }
        let mut others = Vec::with_capacity(jobs.len());
        for mut job in jobs {
            match self.keys.get_mut(job.update.key()) {
                Some(waiting) => {
                    job.update.move_out();
                    waiting.jobs.push_back(job);
                }
                None => others.push(job),
            }
        }
        self.refresh();
        others
    }

    /// Takes out jobs that are due, at most `max_jobs` and `max_bytes`, but at least one key's if
    /// any is due.
    pub(super) fn take_due(&mut self, now: Instant, max_jobs: usize, max_bytes: usize) -> Vec<Job> {
        let mut taken: Vec<Job> = Vec::new();
        if self.next_due.is_none_or(|due| due > now) {
            return taken;
        }
        let mut due: Vec<&mut SetAsideKey> =
            self.keys.values_mut().filter(|waiting| waiting.due <= now && !waiting.out).collect();
        due.sort_by_key(|waiting| waiting.due);
        let mut bytes = 0;
        for waiting in due {
            let count = waiting.next_count(max_jobs, max_bytes);
            let count = joinable(&self.forms, waiting.jobs.iter().take(count));
            let more: usize = waiting.jobs.iter().take(count).map(|job| job.cost()).sum();
            if !taken.is_empty() && (taken.len() + count > max_jobs || bytes + more > max_bytes) {
                break;
            }
            bytes += more;
            waiting.out = true;
            taken.extend(waiting.jobs.drain(..count));
        }
        self.refresh();
        taken
    }

    /// Ends the waiting events whose source took them back; returns the room they held.
    pub(super) fn drop_cancelled(&mut self) -> usize {
        let mut released = 0;
        for waiting in
            self.keys.values_mut().filter(|waiting| waiting.jobs.iter().any(Job::cancelled))
        {
            let (gone, kept): (VecDeque<Job>, _) =
                std::mem::take(&mut waiting.jobs).into_iter().partition(Job::cancelled);
            waiting.jobs = kept;
            released += gone.iter().map(|job| job.cost()).sum::<usize>();
        }
        if released > 0 {
            self.refresh();
        }
        released
    }

    /// Forgets keys without events, and computes which key is due next and how many events wait.
    /// Looks at every key, so it is called once after any number of refusals.
    pub(super) fn refresh(&mut self) {
        self.keys.retain(|_, waiting| waiting.out || !waiting.jobs.is_empty());
        self.next_due =
            self.keys.values().filter(|waiting| !waiting.out).map(|waiting| waiting.due).min();
        let waiting: usize = self.keys.values().map(|waiting| waiting.jobs.len()).sum();
        self.gauge.add(waiting as i64 - self.counted);
        self.counted = waiting as i64;
    }
}

impl Drop for SetAsideKeys {
    fn drop(&mut self) {
        self.gauge.sub(self.counted);
    }
}

impl SetAsideKey {
    fn new(pause: Duration, due: Instant) -> Self {
        Self { jobs: VecDeque::new(), next_write: NextWrite::All, due, pause, out: false }
    }

    fn give_back(&mut self, jobs: Vec<Job>) {
        self.out = false;
        for mut job in jobs.into_iter().rev() {
            job.update.move_out();
            self.jobs.push_front(job);
        }
    }

    /// How many events the next write has.
    fn next_count(&self, max_jobs: usize, max_bytes: usize) -> usize {
        let mut bytes = 0;
        let fits = |job: &&Job| {
            bytes += job.cost();
            bytes <= max_bytes
        };
        match self.next_write {
            NextWrite::All => {
                self.jobs.iter().take(max_jobs).take_while(fits).count().max(1).min(self.jobs.len())
            }
            NextWrite::Sent => self.jobs.iter().rposition(Job::sent).map_or(1, |last| last + 1),
            NextWrite::Start(count) => count.min(self.jobs.len()),
            NextWrite::First => 1,
        }
    }
}
