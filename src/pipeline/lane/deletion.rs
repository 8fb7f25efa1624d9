//! What lanes know of the deletion of users.

use std::sync::Arc;
use std::time::Duration;

use crate::deletion::{SeenKeys, Suppressions};
use crate::logging::Throttle;
use crate::pipeline::job::Job;
use crate::store::StoreError;

/// How long a lane waits before it tries again to keep on disk where keys are.
const DISK_RETRY: Duration = Duration::from_secs(1);
/// How often the log says that the disk does not take it.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// What the lanes know of deletions. They share it.
pub struct LaneDeletion {
    pub(super) suppressions: Arc<Suppressions>,
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
    pub(super) async fn keep_place(&self, job: &Job) {
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
