//! The loop of a lane: take jobs, write them as one batch, settle each, wait after trouble.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::metrics::Metrics;
use crate::pipeline::batch::Batch;
use crate::pipeline::confirmed::ConfirmedCounts;
use crate::pipeline::job::Job;
use crate::pipeline::set_aside::SetAsideKeys;
use crate::redis::{Apply, Class, Trouble, Verdict, Writes};
use crate::trace::WorkSpan;

use super::parts::{Lane, LaneLimits};

/// The longest pause before a new connection is tried: a restarted Redis is found soon, and trying
/// costs it little.
const RECONNECT_MAX: Duration = Duration::from_secs(1);
/// How often an idle lane asks whether Redis still answers.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How often a lane that waits to retry frees the room of jobs that were taken back.
const CANCEL_EVERY: Duration = Duration::from_millis(50);

impl<S: Apply> Lane<S> {
    /// Ends when the queue is closed and empty, or at once on the hard stop. Events that are not
    /// settled then fail.
    pub async fn run(self) {
        let queue = Arc::clone(&self.queue);
        let hard = self.hard.clone();
        // Dropping the future drops the batch that is being written, and with it its acks:
        // unsettled is failed.
        let _ended = hard.run_until_cancelled_owned(Worker::new(self).run()).await;
        queue.abandon();
    }
}

/// A lane at work: its parts, and how its last attempts ended.
pub(super) struct Worker<S> {
    pub(super) lane: Lane<S>,
    pub(super) batch: Batch,
    writes: Writes,
    pub(super) confirmed: ConfirmedCounts,
    pub(super) verdicts: Vec<Verdict>,
    backoff: ExponentialBackoff,
    pub(super) failures: u32,
    pub(super) set_aside: SetAsideKeys,
    /// The largest number of writes that a refusing server had taken, and when it was first seen.
    pub(super) taken: (u64, tokio::time::Instant),
    /// The server seems to refuse everything.
    pub(super) doubt: bool,
    /// When a log line said that a key is set aside.
    pub(super) warned: Option<Instant>,
}

/// Where the jobs of a batch came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BatchOrigin {
    /// The queue, or an earlier attempt at such jobs.
    Queue,
    /// Keys that are set aside. `fenced`: the connection is good, so bytes that were lost with an
    /// earlier one are fenced, and events that are revoked may end.
    SetAside { fenced: bool },
}

impl<S: Apply> Worker<S> {
    fn new(lane: Lane<S>) -> Self {
        let LaneLimits { retry_min, retry_max, .. } = lane.limits;
        let set_aside = SetAsideKeys::new(
            &lane.forms,
            retry_min,
            retry_max,
            lane.metrics.events_set_aside.clone(),
        );
        Self {
            batch: Batch::default(),
            writes: Writes::new(&lane.forms),
            confirmed: ConfirmedCounts::new(&lane.metrics),
            verdicts: Vec::new(),
            backoff: backoff(lane.limits),
            failures: 0,
            set_aside,
            taken: (0, tokio::time::Instant::now()),
            doubt: false,
            warned: None,
            lane,
        }
    }

    async fn run(mut self) {
        while let Some(jobs) = self.next_jobs().await {
            let mut left = self.release_cancelled(jobs);
            while !left.is_empty() {
                left = self.obey_deletions(left).await;
                let waiting = self.batch.fill(&self.lane.forms, left);
                let trouble = self.write().await;
                left = self.settle(BatchOrigin::Queue).await;
                left.extend(self.set_aside.divert(waiting));
                left = match trouble {
                    Some(trouble) if self.needs_retry() => self.failed(&trouble, left).await,
                    trouble => {
                        self.answered(trouble);
                        self.release_cancelled(fenced(left))
                    }
                };
            }
        }
    }

    /// The next jobs whose keys are not set aside. Until there are some, tries the keys that are
    /// set aside, and probes the store from time to time.
    async fn next_jobs(&mut self) -> Option<Vec<Job>> {
        let mut probe_at = self.next_probe();
        loop {
            self.drop_cancelled();
            self.try_set_aside().await;
            let now = tokio::time::Instant::now();
            let due = self
                .set_aside
                .next_due()
                .map_or(probe_at, |due| due.min(now + CANCEL_EVERY).min(probe_at));
            let LaneLimits { max_batch, max_batch_bytes, .. } = self.lane.limits;
            match tokio::time::timeout_at(due, self.lane.queue.take(max_batch, max_batch_bytes))
                .await
            {
                Ok(Some(jobs)) => {
                    let jobs = self.set_aside.divert(jobs);
                    if !jobs.is_empty() {
                        return Some(jobs);
                    }
                }
                Ok(None) if self.set_aside.is_empty() => return None,
                // The queue is closed, and keys that are set aside are still tried.
                Ok(None) => tokio::time::sleep(CANCEL_EVERY).await,
                Err(_) if tokio::time::Instant::now() < probe_at => {}
                Err(_idle) => {
                    match self.lane.store.reach().await {
                        Ok(()) if self.doubtful() => {}
                        Ok(()) => self.succeeded(),
                        Err(trouble) => {
                            self.failed(&trouble, Vec::new()).await;
                        }
                    }
                    probe_at = self.next_probe();
                }
            }
        }
    }

    fn next_probe(&self) -> tokio::time::Instant {
        let wait =
            if self.lane.health.is_up() || self.doubtful() { PROBE_EVERY } else { Duration::ZERO };
        tokio::time::Instant::now() + wait
    }

    /// Writes the batch; the verdicts are those on its writes.
    pub(super) async fn write(&mut self) -> Option<Trouble> {
        let Self { batch, writes, verdicts, lane, .. } = self;
        let Lane { store, forms, metrics, health, limits, .. } = lane;
        writes.clear();
        verdicts.clear();
        writes.reserve(batch.bytes());
        for (write, key, parts) in batch.writes(forms) {
            writes.add(write, key, parts);
        }
        metrics.batch_updates.observe(batch.events() as f64);
        metrics.updates_merged.inc_by((batch.events() - batch.len()) as u64);
        let span = WorkSpan::batch(health.lane(), batch.events(), batch.len(), batch.origins());
        let start = Instant::now();
        let allowed = || !batch.revoked();
        let applied = store.apply(writes, &allowed, verdicts);
        let trouble = span.around(applied).await;
        if let Some(trouble) = &trouble {
            span.failed(Metrics::redis_code(&trouble.code));
        }
        metrics.redis_write_seconds.observe(start.elapsed().as_secs_f64());
        assert_eq!(verdicts.len(), batch.len(), "one verdict for each write");
        writes.shrink_to(limits.max_batch_bytes * 2);
        trouble
    }

    /// Whether a write was not answered, or answered with the state of the server.
    pub(super) fn needs_retry(&self) -> bool {
        self.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Retry(_) | Verdict::Unknown))
    }

    pub(super) fn succeeded(&mut self) {
        self.doubt = false;
        if self.failures > 0 || !self.lane.health.is_up() {
            self.lane.health.up();
            self.reached();
        }
    }

    /// The server answers: events are taken again.
    pub(super) fn reached(&mut self) {
        self.failures = 0;
        self.backoff = backoff(self.lane.limits);
        self.lane.queue.set_down(false);
    }

    /// Notes the trouble and waits before the next attempt at `left`; returns the jobs that are
    /// still to be written then.
    pub(super) async fn failed(&mut self, trouble: &Trouble, mut left: Vec<Job>) -> Vec<Job> {
        self.failures += 1;
        self.lane.health.trouble(trouble);
        if self.failures >= self.lane.limits.retry_count || trouble.class == Class::Config {
            self.lane.queue.set_down(true);
        }
        let pause = self.backoff.next().unwrap_or(Duration::MAX).min(self.lane.limits.retry_max);
        let pause = if matches!(trouble.class, Class::Reconnect | Class::Rediscover) {
            pause.min(RECONNECT_MAX)
        } else {
            pause
        };
        let until = tokio::time::Instant::now() + pause;
        while tokio::time::Instant::now() < until {
            self.lane.queue.drop_cancelled();
            self.drop_cancelled();
            left = self.release_cancelled(left);
            tokio::time::sleep_until(until.min(tokio::time::Instant::now() + CANCEL_EVERY)).await;
        }
        self.release_cancelled(left)
    }
}

fn backoff(limits: LaneLimits) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(limits.retry_min)
        // Jitter adds up to as much again.
        .with_max_delay(limits.retry_max / 2)
        .with_jitter()
        .without_max_times()
        .build()
}

/// The connection is good, so bytes that were lost with an earlier one are fenced: jobs that are
/// revoked may end.
pub(super) fn fenced(mut left: Vec<Job>) -> Vec<Job> {
    left.iter_mut().filter(|job| job.revoked()).for_each(Job::mark_fenced);
    left
}
