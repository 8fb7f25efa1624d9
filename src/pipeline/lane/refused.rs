//! Refusals that no row of the error table explains: the key is set aside, and the lane goes on
//! with others.

use std::time::{Duration, Instant};

use super::{LaneLimits, Worker, fenced};
use crate::pipeline::batch::Batch;
use crate::pipeline::intake::Job;
use crate::redis::{Apply, Trouble, Verdict};

/// How long a server may refuse several keys for reasons nobody knows, and take no other, before it
/// counts as not usable.
const DOUBT_AFTER: Duration = Duration::from_secs(2);
/// How often a lane logs that it set a key aside.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// A write of keys that are set aside.
#[derive(Clone, Copy)]
pub(super) struct Apart {
    /// The connection is good: what was lost with an earlier one is fenced, so that events that are
    /// revoked may end.
    fenced: bool,
}

impl<S: Apply> Worker<S> {
    /// Writes what is set aside and due, apart from other keys: a refusal may come with the end of
    /// the connection.
    pub(super) async fn try_set_aside(&mut self) {
        let LaneLimits { max_batch, max_batch_bytes, .. } = self.lane.limits;
        let jobs = self.set_aside.take_due(tokio::time::Instant::now(), max_batch, max_batch_bytes);
        if jobs.is_empty() {
            return;
        }
        let (batch, waiting) = Batch::new(jobs);
        assert!(waiting.is_empty(), "what is taken out of one key can be one write");
        let trouble = self.write(&batch).await;
        let apart = Apart { fenced: trouble.is_none() };
        self.settle(batch, Some(apart)).await;
        match trouble {
            Some(trouble) if self.hindered() => {
                self.failed(&trouble, Vec::new()).await;
            }
            trouble => self.answered(trouble),
        }
    }

    /// Sets the jobs of one key aside after `verdict`; one that can never be written comes back.
    pub(super) fn set_apart(
        &mut self,
        verdict: Verdict,
        mut jobs: Vec<Job>,
        apart: Option<Apart>,
    ) -> Option<Job> {
        let now = tokio::time::Instant::now();
        let key = jobs.first()?.update.key().to_vec();
        let (count, sent) = (jobs.len(), jobs.iter().any(Job::sent));
        match verdict {
            // Together they may be too large, and each by itself is not.
            Verdict::Refused if count > 1 => {
                self.set_aside.refused(jobs, now);
                self.set_aside.split(&key, count, sent, now);
            }
            Verdict::Refused => return jobs.pop(),
            Verdict::Unexplained(suspicion) => {
                let together = count > 1 && sent;
                let merged = count > 1 && !together;
                let poison = self.lane.suspects.refused(&key, suspicion, merged, now);
                if poison && !together {
                    return jobs.pop();
                }
                self.set_aside.refused(jobs, now);
                if poison {
                    self.lane.suspects.settled(&key);
                    self.set_aside.split(&key, count, sent, now);
                }
            }
            _ => {
                let jobs =
                    if apart.is_some_and(|apart| apart.fenced) { fenced(jobs) } else { jobs };
                self.set_aside.unanswered(jobs, now);
            }
        }
        None
    }

    /// The first events of the key are settled.
    pub(super) fn forget(&mut self, key: &[u8]) {
        self.lane.suspects.settled(key);
        if !self.set_aside.is_empty() {
            self.set_aside.settled(key, tokio::time::Instant::now());
        }
    }

    /// Drops what its source took back of what is set aside.
    pub(super) fn drop_cancelled(&mut self) {
        let released = self.set_aside.drop_cancelled();
        if released > 0 {
            self.lane.queue.release(released);
        }
    }

    pub(super) fn doubtful(&self) -> bool {
        self.doubt && !self.set_aside.is_empty()
    }

    /// All was answered. `trouble`: some of it was refused for reasons nobody knows, which is no
    /// trouble of the server while it takes other writes.
    pub(super) fn answered(&mut self, trouble: Option<Trouble>) {
        let now = tokio::time::Instant::now();
        let taken = |verdict: &Verdict| {
            if let Verdict::Unexplained(suspicion) = verdict { Some(suspicion.taken) } else { None }
        };
        let refused = trouble.zip(self.verdicts.iter().filter_map(taken).max());
        let was_in_doubt = self.doubtful();
        if let Some((trouble, taken)) = &refused {
            self.tell_set_aside(trouble);
            if *taken > self.taken.0 {
                self.taken = (*taken, now);
            }
        }
        match refused {
            Some((trouble, taken)) if !self.verdicts.contains(&Verdict::Written) => {
                // Others could not prove anything to a lane that takes nothing.
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

    fn tell_set_aside(&mut self, trouble: &Trouble) {
        if self.set_aside.is_empty() || self.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        tracing::warn!(
            code = trouble.code,
            "Redis refuses a write for a reason that is not known ({}): its key waits, and is \
             tried again, while others are written; \
             if that goes on, the event goes into the dead letters as `refused`",
            trouble.message
        );
    }
}
