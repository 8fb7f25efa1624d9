//! Refusals that no row of the error table explains: the key is set aside, and the lane goes on
//! with others.

use std::time::{Duration, Instant};

use crate::pipeline::job::Job;
use crate::redis::{Apply, Trouble, Verdict};

use super::parts::LaneLimits;
use super::worker::{BatchOrigin, Worker, fenced};

/// How long a server may refuse several keys for unknown reasons, and take no other, before it
/// counts as not usable.
const DOUBT_AFTER: Duration = Duration::from_secs(2);
/// How often a lane warns that it set a key aside.
const WARN_EVERY: Duration = Duration::from_secs(60);

impl<S: Apply> Worker<S> {
    /// Writes keys that are set aside and due, apart from other keys: a refusal may come with the
    /// end of the connection.
    pub(super) async fn try_set_aside(&mut self) {
        let LaneLimits { max_batch, max_batch_bytes, .. } = self.lane.limits;
        let jobs = self.set_aside.take_due(tokio::time::Instant::now(), max_batch, max_batch_bytes);
        let jobs = self.obey_deletions(jobs).await;
        if jobs.is_empty() {
            self.set_aside.refresh();
            return;
        }
        let waiting = self.batch.fill(&self.lane.forms, jobs);
        assert!(waiting.is_empty(), "what is taken out of one key can be one write");
        let trouble = self.write().await;
        let origin = BatchOrigin::SetAside { fenced: trouble.is_none() };
        self.settle(origin).await;
        match trouble {
            Some(trouble) if self.needs_retry() => {
                self.failed(&trouble, Vec::new()).await;
            }
            trouble => self.answered(trouble),
        }
    }

    /// Sets the jobs of one key aside after `verdict`; a job that can never be written comes back.
    pub(super) fn set_apart(
        &mut self,
        verdict: Verdict,
        mut jobs: Vec<Job>,
        origin: BatchOrigin,
    ) -> Option<Job> {
        let now = tokio::time::Instant::now();
        let key = jobs.first()?.update.key().to_vec();
        let (count, sent) = (jobs.len(), jobs.iter().any(Job::sent));
        match verdict {
            // Together the events may be too large, while each by itself is not.
            Verdict::Refused if count > 1 => {
                self.set_aside.refused(jobs, now);
                self.set_aside.split(&key, count, sent, now);
            }
            Verdict::Refused => return jobs.pop(),
            Verdict::Unexplained(suspicion) => {
                let together = count > 1 && sent;
                let merged = count > 1 && !together;
                let poison = self.lane.poison.refused(&key, suspicion, merged, now);
                if poison && !together {
                    return jobs.pop();
                }
                self.set_aside.refused(jobs, now);
                if poison {
                    self.lane.poison.settled(&key);
                    self.set_aside.split(&key, count, sent, now);
                }
            }
            _ => {
                let is_fenced = origin == BatchOrigin::SetAside { fenced: true };
                let jobs = if is_fenced { fenced(jobs) } else { jobs };
                self.set_aside.unanswered(jobs, now);
            }
        }
        None
    }

    /// The first events of the key are settled.
    pub(super) fn forget(&mut self, key: &[u8]) {
        self.lane.poison.settled(key);
        if !self.set_aside.is_empty() {
            self.set_aside.settled(key, tokio::time::Instant::now());
        }
    }

    /// Drops jobs that are set aside and that their source took back.
    pub(super) fn drop_cancelled(&mut self) {
        let released = self.set_aside.drop_cancelled();
        if released > 0 {
            self.lane.queue.release(released);
        }
    }

    /// Whether the server seems to refuse everything.
    pub(super) fn doubtful(&self) -> bool {
        self.doubt && !self.set_aside.is_empty()
    }

    /// Every write was answered. `trouble`: some were refused for unknown reasons, which is no
    /// trouble of the server while it takes other writes.
    pub(super) fn answered(&mut self, trouble: Option<Trouble>) {
        let now = tokio::time::Instant::now();
        let taken = |verdict: &Verdict| {
            if let Verdict::Unexplained(suspicion) = verdict { Some(suspicion.taken) } else { None }
        };
        let refused = trouble.zip(self.verdicts.iter().filter_map(taken).max());
        let was_in_doubt = self.doubtful();
        if let Some((trouble, taken)) = &refused {
            self.warn_of_set_aside(trouble);
            if *taken > self.taken.0 {
                self.taken = (*taken, now);
            }
        }
        match refused {
            Some((trouble, taken))
                if !self.verdicts.iter().any(|verdict| verdict.is_confirmed()) =>
            {
                // A lane that takes nothing could not learn from other writes.
                if self.failures > 0 {
                    self.reached();
                }
                let stuck = self.set_aside.len() > 1
                    && now - self.taken.1.max(self.set_aside.since()) > DOUBT_AFTER;
                self.doubt = taken == 0 || stuck;
                if self.doubt {
                    self.lane.health.trouble(&trouble);
                } else if was_in_doubt {
                    self.succeeded();
                }
            }
            _ => self.succeeded(),
        }
    }

    fn warn_of_set_aside(&mut self, trouble: &Trouble) {
        if self.set_aside.is_empty()
            || self.warned.is_some_and(|warned| warned.elapsed() < WARN_EVERY)
        {
            return;
        }
        self.warned = Some(Instant::now());
        tracing::warn!(
            code = trouble.code,
            "Redis refuses a write for a reason that is not known ({}): its key waits, and is \
             tried again, while others are written; if that goes on, the event goes into the dead \
             letters as `refused`",
            trouble.message
        );
    }
}
