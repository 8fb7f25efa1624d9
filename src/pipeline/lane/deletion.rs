//! What a lane does right before a write because users can be deleted.

use std::sync::Arc;
use std::time::Duration;

use crate::deletion::{SeenKeys, Suppressions};
use crate::event::{Action, SkipReason};
use crate::logging::Throttle;
use crate::outcome::Outcome;
use crate::pipeline::job::Job;
use crate::redis::Apply;
use crate::store::StoreError;

use super::worker::Worker;

/// How long a lane waits before it tries again to keep on disk where keys are.
const DISK_RETRY: Duration = Duration::from_secs(1);
/// How often the log says that the disk does not take it.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// What the lanes know of deletions. They share it.
pub struct LaneDeletion {
    suppressions: Arc<Suppressions>,
    seen: Arc<SeenKeys>,
    failures: Throttle,
}

impl LaneDeletion {
    /// `suppressions`: whose events are skipped; `seen`: under which prefixes and entities there
    /// are keys.
    pub fn new(suppressions: Arc<Suppressions>, seen: Arc<SeenKeys>) -> Arc<Self> {
        Arc::new(Self { suppressions, seen, failures: Throttle::new(NOTICE_EVERY) })
    }

    /// Returns once it is on disk where the key of `job` is, so that a later deletion finds it.
    async fn keep_place(&self, job: &Job) {
        let prefix = job.prefix_path().map(|_| String::from_utf8_lossy(job.update.prefix()));
        while let Some(prefix) = prefix.as_deref().filter(|prefix| !self.seen.knows_prefix(prefix))
            && let Err(error) = self.seen.keep_prefix(prefix).await
        {
            self.wait(&error).await;
        }
        let Some(entity) = job.update.entity() else { return };
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (entity, id_type) = (text(entity.entity), text(entity.id_type));
        while !self.seen.knows_entity(&entity, &id_type)
            && let Err(error) = self.seen.keep_entity(&entity, &id_type).await
        {
            self.wait(&error).await;
        }
    }

    async fn wait(&self, error: &StoreError) {
        if let Some(times) = self.failures.admit(1) {
            tracing::warn!(
                times,
                "events wait: a deletion could not find their keys later, as the disk does not \
                 keep where they are: {error}"
            );
        }
        tokio::time::sleep(DISK_RETRY).await;
    }
}

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
            let user = update.user_id().or_else(|| update.entity().map(|entity| entity.user));
            !matches!(update.action(), Action::Delete | Action::Erase)
                && user.is_some_and(|user| deletion.suppressions.holds(user))
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
