//! What a lane does right before a write because users can be deleted.

use crate::event::{Action, SkipReason};
use crate::outcome::Outcome;
use crate::pipeline::job::Job;
use crate::redis::Apply;

use super::worker::Worker;

impl<S: Apply> Worker<S> {
    /// Skips the events of suppressed users, and keeps where the keys of the others are. An update
    /// may have waited for longer than it takes until all workers obey a suppression, so they are
    /// asked here, too.
    pub(super) async fn obey_deletions(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let Some(deletion) = self.lane.deletion.clone() else { return jobs };
        // Other workers may have suppressed users before this one started.
        deletion.suppressions.loaded().await;
        let is_suppressed = |job: &Job| {
            let update = &job.update;
            !matches!(update.action(), Action::Delete | Action::Erase)
                && update.user_id().is_some_and(|user| deletion.suppressions.holds(user))
        };
        let (gone, kept): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(is_suppressed);
        if !gone.is_empty() {
            self.lane.queue.release(gone.iter().map(|job| job.cost()).sum());
        }
        for job in gone {
            self.forget(job.update.key());
            job.ack.settle(Outcome::Skipped(SkipReason::Suppressed));
        }
        for job in &kept {
            deletion.keep_place(job).await;
        }
        kept
    }
}
