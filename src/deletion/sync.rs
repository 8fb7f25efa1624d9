//! Suppressions that all workers obey: the marks on disk and those in Redis become the same.
//!
//! Each worker reads the hash whenever it has changed, takes over what is newer there, and writes
//! what is newer here, or missing there. Two workers that write at the same moment may overwrite a
//! newer mark: whoever has it on disk writes it again at the next look.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::mark::{SuppressionMark, UserDigest, UserMarks, digest_in, field_of};
use super::records::DeletionStore;
use crate::logging::Throttle;
use crate::readiness::Readiness;
use crate::redis::{HashFields, HashState, Route, SharedHash, Trouble};
use crate::store::StoreError;

/// The name of this part in `/ready`.
const PART: &str = "suppressions";
/// How often it is asked whether the hash has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the whole hash is read in any case: others may change it without saying so.
const READ_EVERY: Duration = Duration::from_secs(60);
/// How often the log says that Redis cannot be asked.
const NOTICE_EVERY: Duration = Duration::from_secs(10);
/// The field that gets another value with every change.
const CHANGED: &str = "changed";
/// UserMarks that are written at a time.
const PAGE: usize = 1000;

/// Why marks are not the same on disk and in Redis.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error(transparent)]
    Redis(#[from] Trouble),
    #[error(transparent)]
    Disk(#[from] StoreError),
}

/// The marks on disk and in Redis.
pub struct SuppressionSync {
    store: DeletionStore,
    hash: SharedHash,
    /// Marks were published since the last look: a hash that is again what it was then has lost
    /// them.
    published: AtomicBool,
    failures: Throttle,
}

/// What the hash was when it was read last; `None`: it is to be read.
#[derive(Default)]
struct LastRead(Option<(HashState, Instant)>);

impl SuppressionSync {
    /// `key` is `deletion.suppressions_key`, with its prefix. Connects to nothing yet.
    pub fn new(store: DeletionStore, route: Route, key: Vec<u8>) -> Self {
        let hash = SharedHash::new(route, key);
        let (published, failures) = (AtomicBool::new(false), Throttle::new(NOTICE_EVERY));
        Self { store, hash, published, failures }
    }

    /// Keeps both the same, for as long as the process runs. Reports to `readiness`.
    pub async fn run(&self, readiness: &Readiness) {
        let mut last = LastRead::default();
        loop {
            match self.look(&mut last).await {
                Ok(()) => readiness.ready(PART),
                Err(error) => {
                    let why = format!(
                        "cannot read who is suppressed (deletion.suppressions_key): {error}"
                    );
                    if let Some(times) = self.failures.admit(1) {
                        tracing::warn!(times, "{why}");
                    }
                    readiness.waiting(PART, why);
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Reads the hash if it has changed.
    async fn look(&self, last: &mut LastRead) -> Result<(), SyncError> {
        if self.published.swap(false, Ordering::AcqRel) {
            last.0 = None;
        }
        let state = self.hash.state(CHANGED).await?;
        if let Some((known, at)) = last.0.take()
            && known == state
            && at.elapsed() < READ_EVERY
        {
            last.0 = Some((known, at));
            return Ok(());
        }
        let read_at = Instant::now();
        let (others, newer_here) = self.take_over().await?;
        self.store.suppressions().set_loaded();
        // What is on disk holds all that was found, so a larger number means that some are missing.
        let some_missing = self.store.mark_count().await? > state.len.saturating_sub(others);
        if some_missing {
            self.fill_again().await?;
        } else {
            self.write(&newer_here).await?;
            // After a write the hash is another one, and is read again.
            last.0 = newer_here.is_empty().then_some((state, read_at));
        }
        Ok(())
    }

    /// Takes over what is newer in the hash. Returns the number of fields that are no marks, and
    /// the marks that are newer here.
    async fn take_over(&self) -> Result<(u64, UserMarks), SyncError> {
        let (mut others, mut newer_here) = (HashSet::new(), Vec::new());
        let mut scan = self.hash.scan().await;
        while let Some(fields) = scan.next().await? {
            let mut found = Vec::with_capacity(fields.len());
            for (name, value) in fields {
                match digest_in(&name).zip(SuppressionMark::read(&value)) {
                    Some(mark) => found.push(mark),
                    None => _ = others.insert(name),
                }
            }
            newer_here.extend(self.store.merge(found).await?);
        }
        Ok((others.len() as u64, newer_here))
    }

    /// Writes all marks on disk that the hash lacks.
    async fn fill_again(&self) -> Result<(), SyncError> {
        let mut after = None;
        loop {
            let page = self.store.marks_after(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(*last);
            self.write_newer(page).await?;
        }
    }

    /// Has Redis know the marks of these users. They are on disk already.
    ///
    /// # Errors
    /// Redis may not know some of them.
    pub(super) async fn publish(&self, users: Vec<UserDigest>) -> Result<(), SyncError> {
        self.published.store(true, Ordering::Release);
        for users in users.chunks(PAGE) {
            let marks = self.store.marks_of(users.to_vec()).await?;
            self.write_newer(marks).await?;
        }
        Ok(())
    }

    /// Writes those of `marks` that are newer than in the hash, and takes over the others.
    async fn write_newer(&self, marks: UserMarks) -> Result<(), SyncError> {
        let fields: Vec<Vec<u8>> = marks.iter().map(|(digest, _)| field_of(digest)).collect();
        let there = self.hash.get(&fields).await?;
        let (mut newer_here, mut found) = (Vec::new(), Vec::new());
        for ((digest, mark), there) in marks.into_iter().zip(there) {
            match there.as_deref().and_then(SuppressionMark::read) {
                Some(there) if there == mark => {}
                Some(there) if there.beats(mark) => found.push((digest, there)),
                _ => newer_here.push((digest, mark)),
            }
        }
        if !found.is_empty() {
            self.store.merge(found).await?;
        }
        self.write(&newer_here).await
    }

    async fn write(&self, marks: &UserMarks) -> Result<(), SyncError> {
        if marks.is_empty() {
            return Ok(());
        }
        let fields: HashFields = marks
            .iter()
            .map(|(digest, mark)| (field_of(digest), mark.text().into_bytes()))
            .collect();
        Ok(self.hash.set(&fields, (CHANGED, &change())).await?)
    }
}

/// A value that no other change has.
fn change() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", now.as_nanos(), std::process::id())
}
