//! Keeps the manager of the service informed: started, what is waited for, reloads, signs of life.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::readiness::Readiness;
use crate::systemd::ServiceManager;
use crate::worker_client::WorkerClient;

/// The worker as its manager sees it.
#[derive(Clone)]
pub(super) struct Service {
    manager: ServiceManager,
    readiness: Arc<Readiness>,
}

impl Service {
    pub(super) fn new(manager: ServiceManager, readiness: Arc<Readiness>) -> Self {
        Self { manager, readiness }
    }

    /// The worker has started. From now on, until `stop`, the manager is told what is waited for,
    /// and while the admin listener at `admin` answers, that the worker is alive.
    pub(super) fn start(&self, admin: SocketAddr, stop: &CancellationToken) {
        if !self.manager.is_there() {
            return;
        }
        let changes = self.readiness.changes();
        self.manager.ready(&self.status());
        let telling = self.clone().tell(changes);
        let stop = stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(telling).await });
        tokio::spawn(self.clone().keep_alive(WorkerClient::of(admin)));
    }

    /// A reload begins.
    pub(super) fn reloading(&self) {
        self.manager.reloading();
    }

    /// The reload has ended, whatever came of it.
    pub(super) fn reloaded(&self) {
        self.manager.ready(&self.status());
    }

    /// The worker stops.
    pub(super) fn stopping(&self) {
        self.manager.stopping();
    }

    fn status(&self) -> String {
        let waiting = self.readiness.waiting_for();
        if waiting.is_empty() {
            return "ready".to_owned();
        }
        let waiting = waiting.into_iter().map(|(part, reason)| format!("{part}: {reason}"));
        format!("waiting for {}", waiting.collect::<Vec<_>>().join("; "))
    }

    async fn tell(self, mut changes: tokio::sync::watch::Receiver<()>) {
        while changes.changed().await.is_ok() {
            self.manager.status(&self.status());
        }
    }

    /// Signs of life, twice as often as they are needed, while `/live` is answered: also while the
    /// worker stops.
    async fn keep_alive(self, worker: WorkerClient) {
        let Some(watchdog) = self.manager.watchdog() else { return };
        let mut every = tokio::time::interval(watchdog / 2);
        loop {
            every.tick().await;
            if worker.live().await.is_ok() {
                self.manager.alive();
            }
        }
    }
}
