//! What is kept of deletions: on disk, and in Redis for other workers.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::{self, Config};
use crate::deletion::{DeletionStore, SeenKeys, SuppressionSync};
use crate::exit::Exit;
use crate::pipeline::{IsSuppressed, LaneDeletion};
use crate::readiness::Readiness;
use crate::redis::Route;
use crate::store::StoreError;

use super::start_error::StartError;

/// What is kept of deletions, before the lanes start.
pub(super) struct KeptDeletions {
    pub(super) store: DeletionStore,
    pub(super) seen: Arc<SeenKeys>,
    pub(super) sync: Arc<SuppressionSync>,
    /// For the lanes.
    pub(super) lanes: Arc<LaneDeletion>,
}

impl KeptDeletions {
    /// Opens the state on disk, which one process uses at a time: beside a worker, a replay has its
    /// own in memory. Connects to nothing.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(super) fn open(
        config: &Config,
        deletion: &config::Deletion,
        route: &Route,
        is_worker: bool,
    ) -> Result<Self, StartError> {
        let max = deletion.max_suppressed as u64;
        let opened = DeletionStore::open(&config.data_dir, max).or_else(|error| match error {
            StoreError::InUse { .. } if !is_worker => DeletionStore::in_memory(max),
            error => Err(error),
        });
        let store = opened.map_err(io)?;
        let seen = Arc::new(SeenKeys::read(&store).map_err(io)?);
        let key = deletion.suppressions_key.clone().into_bytes();
        let sync = Arc::new(SuppressionSync::new(store.clone(), route.clone(), key));
        let lanes = LaneDeletion::new(store.suppressions(), Arc::clone(&seen));
        Ok(Self { store, seen, sync, lanes })
    }

    /// Whether the events of a user are skipped, for the intake.
    pub(super) fn suppressed(&self) -> Arc<IsSuppressed> {
        let suppressions = self.store.suppressions();
        Arc::new(move |user| suppressions.holds(user))
    }

    /// Keeps disk and Redis the same from now on.
    pub(super) fn start_sync(&self, readiness: &Arc<Readiness>, stop: &CancellationToken) {
        let (sync, readiness, stop) = (Arc::clone(&self.sync), Arc::clone(readiness), stop.clone());
        tokio::spawn(async move { stop.run_until_cancelled(sync.run(&readiness)).await });
    }
}

/// The disk does not take what must be kept.
pub(super) fn io(error: StoreError) -> StartError {
    StartError { message: error.to_string(), code: Exit::IO }
}
