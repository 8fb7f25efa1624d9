//! How each job of a batch ends, by the verdict on its write.

use std::collections::BTreeMap;

use crate::outcome::{DeadReason, Outcome};
use crate::pipeline::batch::Batch;
use crate::pipeline::job::Job;
use crate::redis::{Apply, Verdict};

use super::worker::{BatchOrigin, Worker};

impl<S: Apply> Worker<S> {
    /// Gives each job its outcome. Jobs that must be tried again come back, in order, or are set
    /// aside when they were that before.
    pub(super) async fn settle(&mut self, batch: Batch, origin: BatchOrigin) -> Vec<Job> {
        let mut released = 0;
        let mut left = Vec::new();
        let mut refused = Vec::new();
        let mut by_key: BTreeMap<usize, Vec<Job>> = BTreeMap::new();
        for (write, mut job) in batch.into_jobs() {
            match self.verdicts[write] {
                verdict @ (Verdict::Written | Verdict::Absent | Verdict::Stale) => {
                    released += job.cost();
                    self.forget(job.update.key());
                    // An event that deletes is written, key or no key.
                    let is_command = job.ack.source().is_none();
                    job.ack.settle(match verdict {
                        Verdict::Stale => Outcome::Stale,
                        Verdict::Absent if is_command => Outcome::Stale,
                        _ => Outcome::Written,
                    });
                }
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
        let (gone, kept): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(Job::cancelled);
        if !gone.is_empty() {
            self.lane.queue.release(gone.iter().map(|job| job.cost()).sum());
        }
        kept
    }
}
