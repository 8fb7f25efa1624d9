//! One lane: serial, one write in flight, retries in place; what is refused for reasons nobody
//! knows is set aside.

mod refused;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio_util::sync::CancellationToken;

use crate::dead_letter::{DeadLetters, Letter};
use crate::metrics::Metrics;
use crate::redis::{Apply, Class, Trouble, Verdict, Writes};

use super::batch::Batch;
use super::health::LaneHealth;
use super::intake::Job;
use super::outcome::{DeadReason, Outcome};
use super::queue::Queue;
use super::set_aside::SetAside;
use super::suspects::Suspects;
use refused::Apart;

/// The longest pause before a new connection is tried: a restarted Redis is found soon, and trying
/// costs it little.
const RECONNECT_MAX: Duration = Duration::from_secs(1);
/// How often an idle lane asks whether Redis still answers.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How often a lane that waits to retry frees the room of jobs that were taken back.
const CANCEL_EVERY: Duration = Duration::from_millis(50);

/// Numbers of `[delivery]` that a lane needs.
#[derive(Debug, Clone, Copy)]
pub struct LaneLimits {
    /// Events in one pipeline.
    pub max_batch: usize,
    pub max_batch_bytes: usize,
    /// Failures in a row, with their pauses, before the lane counts as down and refuses at once.
    pub retry_count: u32,
    pub retry_min: Duration,
    pub retry_max: Duration,
}

/// The task that empties one queue into Redis.
pub struct Lane<S> {
    pub queue: Arc<Queue>,
    pub store: S,
    pub letters: DeadLetters,
    pub limits: LaneLimits,
    pub metrics: Arc<Metrics>,
    pub health: LaneHealth,
    /// Shared by all lanes.
    pub suspects: Arc<Suspects>,
    /// Drop everything now; unsettled acks fail.
    pub hard: CancellationToken,
}

impl<S: Apply> Lane<S> {
    /// Ends when the queue is closed and empty, or at once on the hard stop. What is not settled
    /// then is failed.
    pub async fn run(self) {
        let queue = Arc::clone(&self.queue);
        let hard = self.hard.clone();
        // Dropping the future drops the batch in hand, and with it its acks: unsettled is failed.
        let _ended = hard.run_until_cancelled_owned(Worker::new(self).run()).await;
        queue.abandon();
    }
}

/// A lane at work: its parts, and how its last attempts went.
struct Worker<S> {
    lane: Lane<S>,
    writes: Writes,
    verdicts: Vec<Verdict>,
    backoff: ExponentialBackoff,
    failures: u32,
    set_aside: SetAside,
    /// The most writes that a refusing server had taken, and since when it is that many.
    taken: (u64, tokio::time::Instant),
    /// The server seems to refuse everything.
    doubt: bool,
    told: Option<Instant>,
}

impl<S: Apply> Worker<S> {
    fn new(lane: Lane<S>) -> Self {
        let LaneLimits { retry_min, retry_max, .. } = lane.limits;
        let set_aside = SetAside::new(retry_min, retry_max, lane.metrics.events_set_aside.clone());
        Self {
            writes: Writes::default(),
            verdicts: Vec::new(),
            backoff: backoff(lane.limits),
            failures: 0,
            set_aside,
            taken: (0, tokio::time::Instant::now()),
            doubt: false,
            told: None,
            lane,
        }
    }

    async fn run(mut self) {
        while let Some(jobs) = self.next_jobs().await {
            let mut left = self.release_cancelled(jobs);
            while !left.is_empty() {
                let (batch, waiting) = Batch::new(left);
                let trouble = self.write(&batch).await;
                left = self.settle(batch, None).await;
                left.extend(self.set_aside.divert(waiting));
                left = match trouble {
                    Some(trouble) if self.hindered() => self.failed(&trouble, left).await,
                    trouble => {
                        self.answered(trouble);
                        self.release_cancelled(fenced(left))
                    }
                };
            }
        }
    }

    /// The next jobs, but for those of keys that are set aside; until there are some, tries those,
    /// and watches over the store.
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
                // Closed: what is set aside is still tried.
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

    async fn write(&mut self, batch: &Batch) -> Option<Trouble> {
        self.writes.clear();
        self.verdicts.clear();
        for (write, key, payload) in batch.writes() {
            self.writes.add(write, key, payload);
        }
        let metrics = &self.lane.metrics;
        metrics.batch_updates.observe(batch.events() as f64);
        metrics.updates_merged.inc_by((batch.events() - batch.len()) as u64);
        let start = Instant::now();
        let trouble =
            self.lane.store.apply(&self.writes, &|| !batch.revoked(), &mut self.verdicts).await;
        metrics.redis_write_seconds.observe(start.elapsed().as_secs_f64());
        assert_eq!(self.verdicts.len(), batch.len(), "one verdict for each write");
        self.writes.shrink_to(self.lane.limits.max_batch_bytes * 2);
        trouble
    }

    /// Gives each job its outcome; what must be tried again comes back, in order, or is set aside,
    /// as all of a write that was made `apart`.
    async fn settle(&mut self, batch: Batch, apart: Option<Apart>) -> Vec<Job> {
        let mut released = 0;
        let mut left = Vec::new();
        let mut refused = Vec::new();
        let mut by_key: BTreeMap<usize, Vec<Job>> = BTreeMap::new();
        for (write, mut job) in batch.into_jobs() {
            match self.verdicts[write] {
                Verdict::Written => {
                    released += job.cost();
                    self.forget(job.update.key());
                    job.ack.settle(Outcome::Written);
                }
                Verdict::WrongType => refused.push((DeadReason::WrongType, job)),
                Verdict::Refused | Verdict::Unexplained(_) => {
                    by_key.entry(write).or_default().push(job)
                }
                Verdict::Retry(_) | Verdict::Unknown => {
                    if self.verdicts[write] == Verdict::Unknown {
                        job.mark_sent();
                    }
                    if apart.is_some() {
                        by_key.entry(write).or_default().push(job)
                    } else {
                        left.push(job)
                    }
                }
            }
        }
        for (write, jobs) in by_key {
            refused.extend(
                self.set_apart(self.verdicts[write], jobs, apart)
                    .map(|job| (DeadReason::Refused, job)),
            );
        }
        if !refused.is_empty() {
            refused.iter().for_each(|(_, job)| self.lane.suspects.settled(job.update.key()));
            let keys: Vec<Vec<u8>> =
                refused.iter().map(|(_, job)| job.update.key().to_vec()).collect();
            released += self.bury(refused).await;
            keys.iter().for_each(|key| self.forget(key));
        }
        self.set_aside.refresh();
        self.lane.queue.release(released);
        left
    }

    /// Puts refused jobs into the dead letters, each event by itself; returns the room they gave
    /// back.
    async fn bury(&mut self, refused: Vec<(DeadReason, Job)>) -> usize {
        let letter = |(reason, job): &(DeadReason, Job)| {
            Letter::new(
                reason.as_str(),
                job.ack.source().as_str(),
                Some(job.update.key()),
                job.text(),
                job.message().record(),
            )
        };
        let kept = self.lane.letters.write(refused.iter().map(letter).collect()).await;
        let released = refused.iter().map(|(_, job)| job.cost()).sum();
        for (reason, job) in refused {
            match kept {
                Ok(()) => job.ack.settle(Outcome::DeadLettered(reason)),
                Err(_) => job.ack.settle(Outcome::Failed),
            }
        }
        released
    }

    /// Drops jobs whose source took them back.
    fn release_cancelled(&self, jobs: Vec<Job>) -> Vec<Job> {
        let (gone, kept): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(Job::cancelled);
        if !gone.is_empty() {
            self.lane.queue.release(gone.iter().map(|job| job.cost()).sum());
        }
        kept
    }

    /// Whether something was not answered, or answered with the state of the server.
    fn hindered(&self) -> bool {
        self.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Retry(_) | Verdict::Unknown))
    }

    fn succeeded(&mut self) {
        self.doubt = false;
        if self.failures > 0 || !self.lane.health.is_up() {
            self.lane.health.up();
            self.reached();
        }
    }

    /// The server answers: events are taken again.
    fn reached(&mut self) {
        self.failures = 0;
        self.backoff = backoff(self.lane.limits);
        self.lane.queue.set_down(false);
    }

    /// Notes the trouble and waits before the next attempt at `left`; returns what is then still to
    /// be written.
    async fn failed(&mut self, trouble: &Trouble, mut left: Vec<Job>) -> Vec<Job> {
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

/// The connection is good, and writes were held back: what was lost with an earlier one is fenced.
/// Jobs that are revoked end here.
fn fenced(mut left: Vec<Job>) -> Vec<Job> {
    left.iter_mut().filter(|job| job.revoked()).for_each(Job::mark_fenced);
    left
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
