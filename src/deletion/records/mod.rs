//! What is kept on disk: regulations, their users while they are worked on, marks of suppressions,
//! and under which prefixes keys were written.

mod changed;
mod marks;
mod regulations;
mod seen;

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::mark::{UserDigest, UserMarks};
use super::no_room::NoRoom;
use super::regulation::{Regulation, WorkDone};
use super::scope::KeyScope;
use super::suppressions::Suppressions;
use crate::lock::lock;
use crate::store::{DiskStore, StoreError};

pub(super) use regulations::{NewRegulation, Subject};

/// The name of the file in `data_dir`.
const FILE: &str = "deletion.redb";

/// Completes what the error about a damaged file says: "Then ..".
const LOST: &str = "suppressions come back from Redis (deletion.suppressions_key), and deletion \
                    requests that were not finished must be sent again";

/// State on disk, and the suppressions in memory that follow it. Clones share everything.
#[derive(Clone)]
pub struct DeletionStore(Arc<StoreState>);

struct StoreState {
    disk: DiskStore,
    max_suppressed: u64,
    suppressions: Arc<Suppressions>,
    /// Held while marks are changed: memory takes the changes over in the order of the disk.
    changing: Mutex<()>,
}

impl DeletionStore {
    /// Opens the file in `data_dir`, creating both. Blocks while the whole file is read.
    ///
    /// # Errors
    /// As [`DiskStore::open`].
    pub fn open(data_dir: &Path, max_suppressed: u64) -> Result<Self, StoreError> {
        Self::over(DiskStore::open(&data_dir.join(FILE), LOST)?, max_suppressed)
    }

    /// State that ends with this process, for one that runs beside the worker.
    ///
    /// # Errors
    /// As [`DiskStore::in_memory`].
    pub fn in_memory(max_suppressed: u64) -> Result<Self, StoreError> {
        Self::over(DiskStore::in_memory(LOST)?, max_suppressed)
    }

    fn over(disk: DiskStore, max_suppressed: u64) -> Result<Self, StoreError> {
        let Ok(()) = disk.write(|tx| {
            regulations::create(tx)?;
            marks::create(tx)?;
            seen::create(tx)?;
            Ok(Ok::<_, Infallible>(()))
        })?;
        let suppressed = disk.read(marks::suppressed)?;
        let suppressions = Arc::new(Suppressions::from_disk(suppressed.into_iter()));
        let changing = Mutex::default();
        Ok(Self(Arc::new(StoreState { disk, max_suppressed, suppressions, changing })))
    }

    /// The users whose events are skipped.
    pub fn suppressions(&self) -> Arc<Suppressions> {
        Arc::clone(&self.0.suppressions)
    }

    /// Keeps `new` regulations with their users and marks; `kept` is called once they are on disk,
    /// also when nobody waits for this any more.
    pub(super) async fn accept(
        &self,
        new: Vec<NewRegulation>,
        kept: impl FnOnce() + Send + 'static,
    ) -> Result<Result<(), NoRoom>, StoreError> {
        self.run(move |shared| {
            let _changing = lock(&shared.changing);
            let accepted = shared.disk.write(|tx| {
                let accepted = regulations::insert(tx, &new)?;
                let Ok(()) = accepted else { return Ok(Err(NoRoom::Waiting)) };
                marks::set(tx, &new, shared.max_suppressed)
            })?;
            Ok(accepted.map(|changes| {
                shared.suppressions.apply(changes);
                kept();
            }))
        })
        .await
    }

    /// The regulation with this `id`.
    pub(super) async fn regulation(&self, id: String) -> Result<Option<Regulation>, StoreError> {
        self.run(move |shared| shared.disk.read(|tx| regulations::get(tx, &id))).await
    }

    /// The ids of regulations that are not finished, the oldest first. Blocks.
    pub(super) fn unfinished(&self) -> Result<Vec<String>, StoreError> {
        self.0.disk.read(regulations::unfinished)
    }

    /// Notes that work on a regulation begins, and returns it with its users; `None`: nothing of it
    /// is to be done.
    pub(super) async fn begin(
        &self,
        id: String,
    ) -> Result<Option<(Regulation, Vec<Subject>)>, StoreError> {
        self.run(move |shared| infallible(shared.disk.write(|tx| regulations::begin(tx, &id))))
            .await
    }

    /// Adds `progress` to a regulation, and notes that `passes` over its users `subjects` are done.
    /// False: it was ended meanwhile.
    pub(super) async fn progress(
        &self,
        id: String,
        subjects: Vec<Subject>,
        passes: u8,
        progress: WorkDone,
    ) -> Result<bool, StoreError> {
        self.run(move |shared| {
            infallible(
                shared.disk.write(|tx| {
                    regulations::progress(tx, &id, &subjects, passes, progress.clone())
                }),
            )
        })
        .await
    }

    /// Adds the last `progress` to a regulation, ends it at `now`, and forgets its users.
    pub(super) async fn finish(
        &self,
        id: String,
        progress: WorkDone,
        now: i64,
    ) -> Result<(), StoreError> {
        self.run(move |shared| {
            infallible(shared.disk.write(|tx| regulations::finish(tx, &id, progress.clone(), now)))
        })
        .await
    }

    /// Lifts, at `now`, the suppressions that a regulation made and no later one made anew, and
    /// ends it. Returns the users whose marks changed; `None`: there is no such regulation.
    pub(super) async fn lift(
        &self,
        id: String,
        now: i64,
    ) -> Result<Option<Vec<UserDigest>>, StoreError> {
        self.run(move |shared| {
            let _changing = lock(&shared.changing);
            let lifted = infallible(shared.disk.write(|tx| {
                if !regulations::lift(tx, &id, now)? {
                    return Ok(Ok(None));
                }
                Ok(Ok(Some(marks::lift(tx, &id, now)?)))
            }))?;
            let lifted = lifted.inspect(|digests| {
                shared.suppressions.apply(digests.iter().map(|digest| (*digest, false)));
            });
            Ok(lifted)
        })
        .await
    }

    /// Takes over those of `found` marks that are newer than those on disk. Returns the newer ones
    /// on disk.
    pub(super) async fn merge(&self, found: UserMarks) -> Result<UserMarks, StoreError> {
        self.run(move |shared| {
            let _changing = lock(&shared.changing);
            let compared = shared.disk.read(|tx| marks::compare(tx, &found))?;
            if !compared.newer_found.is_empty() {
                infallible(shared.disk.write(|tx| marks::take(tx, &compared.newer_found)))?;
                let changes =
                    compared.newer_found.iter().map(|(digest, mark)| (*digest, mark.suppressed));
                shared.suppressions.apply(changes);
            }
            Ok(compared.newer_here)
        })
        .await
    }

    /// The marks of these users, of those who have one.
    pub(super) async fn marks_of(&self, digests: Vec<UserDigest>) -> Result<UserMarks, StoreError> {
        self.run(move |shared| shared.disk.read(|tx| marks::of(tx, &digests))).await
    }

    /// The number of marks.
    pub(super) async fn mark_count(&self) -> Result<u64, StoreError> {
        self.run(|shared| shared.disk.read(marks::count)).await
    }

    /// Up to `most` marks, of the users after `after` in the order of their digests.
    pub(super) async fn marks_after(
        &self,
        after: Option<UserDigest>,
        most: usize,
    ) -> Result<UserMarks, StoreError> {
        self.run(move |shared| shared.disk.read(|tx| marks::after(tx, after, most))).await
    }

    /// The prefixes and entities under which keys were written, and whether there were more than
    /// are remembered. Blocks.
    pub(super) fn seen(&self) -> Result<(KeyScope, bool), StoreError> {
        self.0.disk.read(seen::all)
    }

    /// Remembers a prefix; false: too many are known already.
    pub(super) async fn see_prefix(&self, prefix: String) -> Result<bool, StoreError> {
        self.run(move |shared| infallible(shared.disk.write(|tx| seen::add_prefix(tx, &prefix))))
            .await
    }

    /// Remembers a pair of entity and id type; false: too many are known already.
    pub(super) async fn see_entity(
        &self,
        entity: String,
        id_type: String,
    ) -> Result<bool, StoreError> {
        self.run(move |shared| {
            infallible(shared.disk.write(|tx| seen::add_entity(tx, &entity, &id_type)))
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        act: impl FnOnce(&StoreState) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.0);
        let acting = tokio::task::spawn_blocking(move || act(&shared));
        acting.await.expect("using the store does not panic")
    }
}

fn infallible<T>(done: Result<Result<T, Infallible>, StoreError>) -> Result<T, StoreError> {
    done.map(|Ok(value)| value)
}
