//! Accepts regulations, and shows their state. They are worked on by the [`super::Runner`].

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::kind::RegulationKind;
use super::no_room::NoRoom;
use super::records::{DeletionStore, NewRegulation};
use super::regulation::Regulation;
use super::scope::ConfiguredKeys;
use super::seen::SeenKeys;
use super::work::RunnerWork;
use crate::store::StoreError;

/// A regulation that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegulationOrder {
    pub kind: RegulationKind,
    /// The texts of user ids, each once.
    pub users: Vec<String>,
    /// Only the keys of these sources are deleted, unless none of them is ours; empty: all keys.
    pub sources: Vec<String>,
}

/// Why a regulation is not accepted. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    #[error("no room")]
    NoRoom(NoRoom),
    #[error(transparent)]
    Disk(#[from] StoreError),
}

/// The regulations of this worker.
pub struct Regulations {
    store: DeletionStore,
    seen: Arc<SeenKeys>,
    keys: Arc<ConfiguredKeys>,
    work: mpsc::UnboundedSender<RunnerWork>,
    ended: watch::Receiver<()>,
}

impl Regulations {
    /// `work` takes what is accepted; `ended` changes whenever a regulation ends.
    pub(super) fn new(
        store: DeletionStore,
        seen: Arc<SeenKeys>,
        keys: Arc<ConfiguredKeys>,
        work: mpsc::UnboundedSender<RunnerWork>,
        ended: watch::Receiver<()>,
    ) -> Self {
        Self { store, seen, keys, work, ended }
    }

    /// True when a source of the configuration has this name.
    pub(super) fn has_source(&self, name: &str) -> bool {
        self.keys.has_source(name)
    }

    /// Keeps all of `orders` or none, and has them done; suppressed users are skipped from now on.
    /// They are on disk when this returns.
    pub(super) async fn accept(
        &self,
        orders: Vec<RegulationOrder>,
    ) -> Result<Vec<Regulation>, NotKept> {
        let now = now();
        let has_sources = orders.iter().any(|order| !order.sources.is_empty());
        let seen = if has_sources { self.seen.all().0.prefixes } else { Vec::new() };
        let new: Vec<NewRegulation> = orders
            .into_iter()
            .map(|order| {
                let names = order.sources.iter().map(String::as_str);
                let prefixes = self.keys.of_sources(names, &seen);
                let count = order.users.len() as u64;
                let regulation = Regulation::new(new_id(now), order.kind, count, prefixes, now);
                NewRegulation { regulation, users: order.users }
            })
            .collect();
        let regulations: Vec<Regulation> = new.iter().map(|new| new.regulation.clone()).collect();
        let (work, accepted) = (self.work.clone(), regulations.clone());
        let kept = move || {
            for regulation in accepted.into_iter().filter(|accepted| !accepted.is_finished()) {
                // Without a runner the process is about to end; the next one does it.
                let _ = work.send(RunnerWork::Regulation(regulation.id));
            }
        };
        self.store.accept(new, kept).await?.map_err(NotKept::NoRoom)?;
        Ok(regulations)
    }

    /// The regulation with this id; `None`: this worker has none.
    pub(super) async fn get(&self, id: &str) -> Result<Option<Regulation>, StoreError> {
        self.store.regulation(id.to_owned()).await
    }

    /// Returns the regulation once it has ended; `None`: this worker has none with this id.
    pub(super) async fn ended(&self, id: &str) -> Result<Option<Regulation>, StoreError> {
        let mut ended = self.ended.clone();
        loop {
            ended.mark_unchanged();
            match self.get(id).await? {
                Some(running) if !running.is_finished() => {}
                found => return Ok(found),
            }
            if ended.changed().await.is_err() {
                return self.get(id).await;
            }
        }
    }

    /// Lifts the suppressions that a regulation made, and ends it. False: this worker has none with
    /// this id.
    pub(super) async fn lift(&self, id: &str) -> Result<bool, StoreError> {
        let Some(lifted) = self.store.lift(id.to_owned(), now()).await? else { return Ok(false) };
        // What is not written now is written when the marks are compared next.
        let _ = self.work.send(RunnerWork::Publish(lifted));
        Ok(true)
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// An id that no other regulation has; ids grow with time.
fn new_id(now: i64) -> String {
    format!("{now:012x}{:016x}", RandomState::new().build_hasher().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_grow_with_time() {
        let ids: std::collections::BTreeSet<_> = (0..1000).map(|_| new_id(5)).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| *id < new_id(6) && id.len() == 28));
    }
}
