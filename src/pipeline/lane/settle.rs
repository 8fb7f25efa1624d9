//! How each job of a batch ends, by the verdict on its write.

use std::collections::BTreeMap;

use crate::outcome::{DeadReason, Outcome};
use crate::pipeline::batch::Batch;
use crate::pipeline::job::Job;
use crate::redis::{Apply, Verdict};

use super::worker::{BatchOrigin, Worker};

impl<S: Apply> Worker<S> {
    /// Gives each job of the batch its outcome. Jobs that must be tried again come back, in order,
    /// or are set aside when they were that before.
    pub(super) async fn settle(&mut self, origin: BatchOrigin) -> Vec<Job> {
        let mut batch = std::mem::take(&mut self.batch);
        self.count_confirmed(&mut batch);
        let left = if self.all_is_well() {
            let released = batch.bytes();
            for (write, job) in batch.jobs() {
                let outcome = confirmed(self.verdicts[write], job);
                job.ack.report(outcome.expect("all are confirmed"));
            }
            self.lane.queue.recycle(batch.take_place());
            self.lane.queue.release(released);
            Vec::new()
        } else {
            self.settle_each(&mut batch, origin).await
        };
        self.batch = batch;
        left
    }

    /// Counts the jobs that Redis confirmed, before their sources hear of it.
    fn count_confirmed(&mut self, batch: &mut Batch) {
        self.confirmed.begin();
        for (write, job) in batch.jobs() {
            if let Some(outcome) = confirmed(self.verdicts[write], job) {
                self.confirmed.add(&job.ack, outcome);
            }
        }
        self.confirmed.flush();
    }

    /// Whether all writes are confirmed, and nothing is known of earlier refusals.
    fn all_is_well(&self) -> bool {
        self.set_aside.is_empty()
            && self.lane.poison.is_empty()
            && self.verdicts.iter().all(|verdict| verdict.is_confirmed())
    }

    async fn settle_each(&mut self, batch: &mut Batch, origin: BatchOrigin) -> Vec<Job> {
        let mut released = 0;
        let mut left = Vec::new();
        let mut refused = Vec::new();
        let mut by_key: BTreeMap<usize, Vec<Job>> = BTreeMap::new();
        for (write, mut job) in batch.drain() {
            if let Some(outcome) = confirmed(self.verdicts[write], &job) {
                released += job.cost();
                self.forget(job.update.key());
                job.ack.report(outcome);
                continue;
            }
            match self.verdicts[write] {
                Verdict::Written | Verdict::Absent | Verdict::Stale => unreachable!("handled"),
                Verdict::WrongType => refused.push((DeadReason::WrongType, job)),
                Verdict::Refused | Verdict::Unexplained(_) => {
                    by_key.entry(write).or_default().push(job)
                }
                Verdict::Retry(_) | Verdict::Unknown => {
                    if self.verdicts[write] == Verdict::Unknown {
                        job.mark_sent();
                    }
                    if origin != BatchOrigin::Queue {
                        by_key.entry(write).or_default().push(job)
                    } else {
                        left.push(job)
                    }
                }
            }
        }
        self.lane.queue.recycle(batch.take_place());
        for (write, jobs) in by_key {
            refused.extend(
                self.set_apart(self.verdicts[write], jobs, origin)
                    .map(|job| (DeadReason::Refused, job)),
            );
        }
        if !refused.is_empty() {
            refused.iter().for_each(|(_, job)| self.lane.poison.settled(job.update.key()));
            let keys: Vec<Vec<u8>> =
                refused.iter().map(|(_, job)| job.update.key().to_vec()).collect();
            released += self.dead_letter(refused).await;
            keys.iter().for_each(|key| self.forget(key));
        }
        self.set_aside.refresh();
        self.lane.queue.release(released);
        left
    }

    /// Puts refused jobs into the dead letters, each event by itself; returns the room that they
    /// gave back. An operator's command becomes no dead letter: its outcome is all there is.
    async fn dead_letter(&mut self, refused: Vec<(DeadReason, Job)>) -> usize {
        let released = refused.iter().map(|(_, job)| job.cost()).sum();
        let (mut letters, mut events) = (Vec::new(), Vec::new());
        for (reason, job) in refused {
            match job.letter(reason) {
                Some(letter) => {
                    letters.push(letter);
                    events.push(job);
                }
                None => job.ack.settle(Outcome::DeadLettered(reason)),
            }
        }
        let outcomes = self.lane.letters.keep(letters).await;
        for (job, outcome) in events.into_iter().zip(outcomes) {
            job.ack.settle_with_key(outcome, job.update.key());
        }
        released
    }

    /// Drops jobs whose source took them back.
    pub(super) fn release_cancelled(&self, jobs: Vec<Job>) -> Vec<Job> {
        if !Job::any_cancelled(&jobs) {
            return jobs;
        }
        let (gone, mut kept): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(Job::cancelled);
        kept.iter_mut().for_each(|job| job.update.move_out());
        if !gone.is_empty() {
            self.lane.queue.release(gone.iter().map(|job| job.cost()).sum());
        }
        kept
    }
}

/// The outcome of a job whose write is confirmed.
fn confirmed(verdict: Verdict, job: &Job) -> Option<Outcome> {
    match verdict {
        // An event that deletes is written, key or no key.
        Verdict::Absent if job.ack.source().is_none() => Some(Outcome::Stale),
        Verdict::Written | Verdict::Absent => Some(Outcome::Written),
        Verdict::Stale => Some(Outcome::Stale),
        Verdict::WrongType
        | Verdict::Refused
        | Verdict::Unexplained(_)
        | Verdict::Retry(_)
        | Verdict::Unknown => None,
    }
}
