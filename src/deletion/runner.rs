//! Sees regulations to their end, also those that a former process left.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::deleter::{Deleted, DeletionTime, KeyDeleter};
use super::letters::LetterSearch;
use super::mark::digest_of;
use super::records::{DeletionStore, Subject};
use super::regulation::{Regulation, Shortfall, WorkDone};
use super::regulations::{Regulations, now};
use super::scope::{ConfiguredKeys, KeyScope};
use super::seen::SeenKeys;
use super::sync::SuppressionSync;
use super::work::RunnerWork;
use crate::config::UserIds;
use crate::dead_letter::DeadLetters;
use crate::logging::Throttle;
use crate::metrics::Metrics;
use crate::outcome::DeletedBy;
use crate::store::StoreError;

/// How long after Redis knows of a suppression all workers obey it, and a second more.
const OBEYED_AFTER: Duration = Duration::from_secs(6);
/// Regulations that are worked on at a time: each holds its users in memory.
const REGULATIONS: usize = 8;
/// Users whose keys are deleted at a time, for each regulation.
const USERS: usize = 16;
/// Users after whose deletion the progress is noted.
const NOTED: usize = 256;
/// Keys that are compared with those of dead letters, at most.
const MOST_KEYS: usize = 200_000;
/// The pauses before something is tried again.
const RETRY: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(5))
    .without_max_times();
/// How often the log says that something is tried again.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// What the runner works with.
pub struct RunnerParts<D> {
    pub store: DeletionStore,
    pub sync: Arc<SuppressionSync>,
    pub seen: Arc<SeenKeys>,
    pub letters: DeadLetters,
    pub metrics: Arc<Metrics>,
    /// What deletes keys.
    pub deleter: D,
    /// Where there may be keys.
    pub keys: ConfiguredKeys,
}

/// Works on regulations. Dropped at any moment, it goes on in the next process.
pub struct Runner<D> {
    state: Arc<RunnerState<D>>,
    work: mpsc::UnboundedReceiver<RunnerWork>,
    left: Vec<String>,
}

/// What all regulations share.
struct RunnerState<D> {
    store: DeletionStore,
    sync: Arc<SuppressionSync>,
    seen: Arc<SeenKeys>,
    letters: DeadLetters,
    metrics: Arc<Metrics>,
    deleter: D,
    keys: Arc<ConfiguredKeys>,
    /// How many regulations may be worked on.
    places: Semaphore,
    ended: watch::Sender<()>,
    failures: Throttle,
}

impl<D: KeyDeleter> Runner<D> {
    /// The runner, and what it is given its work through. Reads which regulations a former process
    /// left; blocks meanwhile.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn new(parts: RunnerParts<D>) -> Result<(Self, Regulations), StoreError> {
        let left = parts.store.unfinished()?;
        let (sender, work) = mpsc::unbounded_channel();
        let ended = watch::Sender::new(());
        let keys = Arc::new(parts.keys);
        let regulations = Regulations::new(
            parts.store.clone(),
            Arc::clone(&parts.seen),
            Arc::clone(&keys),
            sender,
            ended.subscribe(),
        );
        let state = Arc::new(RunnerState {
            store: parts.store,
            sync: parts.sync,
            seen: parts.seen,
            letters: parts.letters,
            metrics: parts.metrics,
            deleter: parts.deleter,
            keys,
            places: Semaphore::new(REGULATIONS),
            ended,
            failures: Throttle::new(NOTICE_EVERY),
        });
        Ok((Self { state, work, left }, regulations))
    }

    /// Works for as long as the process runs.
    pub async fn run(mut self) {
        if !self.left.is_empty() {
            tracing::info!(regulations = self.left.len(), "going on with deletions");
        }
        let mut running = JoinSet::new();
        for id in std::mem::take(&mut self.left) {
            running.spawn(Arc::clone(&self.state).regulation(id));
        }
        loop {
            tokio::select! {
                Some(ended) = running.join_next() => ended.expect("a regulation does not panic"),
                work = self.work.recv() => match work {
                    Some(RunnerWork::Regulation(id)) => {
                        running.spawn(Arc::clone(&self.state).regulation(id));
                    }
                    Some(RunnerWork::Publish(users)) => {
                        let state = Arc::clone(&self.state);
                        running.spawn(async move {
                            state.until_done(|| state.sync.publish(users.clone())).await;
                        });
                    }
                    // Nobody can ask for more.
                    None if running.is_empty() => std::future::pending().await,
                    None => {
                        let ended = running.join_next().await.expect("one is running");
                        ended.expect("a regulation does not panic");
                    }
                },
            }
        }
    }
}

impl<D: KeyDeleter> RunnerState<D> {
    async fn regulation(self: Arc<Self>, id: String) {
        if self.work_on(&id).await.is_some() {
            tracing::info!(regulation = id, "a deletion request is done");
        }
        self.ended.send_replace(());
    }

    /// Sees a regulation to its end; `None`: it was ended otherwise.
    async fn work_on(&self, id: &str) -> Option<()> {
        let (mut regulation, mut subjects, mut place) = self.begin(id).await?;
        let kind = regulation.kind;
        if kind.suppresses() || kind.lifts() {
            let users: Vec<_> =
                subjects.iter().map(|subject| digest_of(subject.user.as_bytes())).collect();
            self.until_done(|| self.sync.publish(users.clone())).await;
        }
        let obeyed = Instant::now() + OBEYED_AFTER;
        let mut last = WorkDone::default();
        if kind.deletes() {
            let mut scope = self.scope_of(&regulation, &mut last);
            self.delete(&regulation, &subjects, &scope, 1).await?;
            if kind.suppresses() {
                drop((subjects, place));
                sleep_until(obeyed).await;
                (regulation, subjects, place) = self.begin(id).await?;
                scope = self.scope_of(&regulation, &mut last);
                self.delete(&regulation, &subjects, &scope, 2).await?;
            }
            self.purge_letters(&regulation, &subjects, &scope, &mut last).await;
        }
        self.until_done(|| self.store.finish(id.to_owned(), last.clone(), now())).await;
        drop(place);
        Some(())
    }

    /// A regulation that is not finished, its users, and a place to work on them.
    async fn begin(&self, id: &str) -> Option<(Regulation, Vec<Subject>, SemaphorePermit<'_>)> {
        let place = self.places.acquire().await.expect("the semaphore is never closed");
        let begun = self.until_done(|| self.store.begin(id.to_owned())).await;
        begun.map(|(regulation, subjects)| (regulation, subjects, place))
    }

    fn scope_of(&self, regulation: &Regulation, progress: &mut WorkDone) -> KeyScope {
        let (seen, more) = self.seen.all();
        match &regulation.prefixes {
            Some(prefixes) => KeyScope { prefixes: prefixes.clone(), entities: Vec::new() },
            None => {
                progress.shortfalls.extend(more.then_some(Shortfall::TooManyPrefixes));
                self.keys.everywhere(&seen)
            }
        }
    }

    /// Deletes the keys of those `subjects` of which so many `passes` are not done yet; `None`: the
    /// regulation was ended meanwhile.
    async fn delete(
        &self,
        regulation: &Regulation,
        subjects: &[Subject],
        scope: &KeyScope,
        passes: u8,
    ) -> Option<()> {
        let open: Vec<&Subject> =
            subjects.iter().filter(|subject| subject.passes < passes).collect();
        for part in open.chunks(NOTED) {
            let mut progress = WorkDone::default();
            let mut waiting = part.iter();
            let mut running = FuturesUnordered::new();
            loop {
                let free = USERS - running.len();
                let next = waiting.by_ref().take(free);
                running.extend(next.map(|subject| self.delete_user(subject, scope)));
                let Some((user, deleted)) = running.next().await else { break };
                progress.keys_deleted += deleted.keys;
                for (count, shortfall) in [
                    (deleted.wrong_type, Shortfall::WrongType),
                    (deleted.refused, Shortfall::Refused),
                ] {
                    progress.shortfalls.extend((count > 0).then_some(shortfall));
                }
                if passes == 1 {
                    self.metrics.profiles_deleted(DeletedBy::Api).inc();
                }
                if passes == 1 || deleted.keys > 0 {
                    let (id, user) = (&regulation.id, UserIds::Hashed.show(user.as_bytes()));
                    tracing::info!(regulation = id, %user, keys = deleted.keys, "user deleted");
                }
            }
            let done: Vec<Subject> = part.iter().map(|subject| (*subject).clone()).collect();
            let note = || {
                let (id, done) = (regulation.id.clone(), done.clone());
                self.store.progress(id, done, passes, progress.clone())
            };
            if !self.until_done(note).await {
                return None;
            }
        }
        Some(())
    }

    async fn delete_user<'s>(&self, subject: &'s Subject, scope: &KeyScope) -> (&'s str, Deleted) {
        let delete = || {
            let keys = self.deleter.keys_of(&subject.user, scope);
            self.deleter.delete(keys, DeletionTime::Everything { now: now() })
        };
        (&subject.user, self.until_done(delete).await)
    }

    async fn purge_letters(
        &self,
        regulation: &Regulation,
        subjects: &[Subject],
        scope: &KeyScope,
        progress: &mut WorkDone,
    ) {
        let users = || subjects.iter().map(|subject| subject.user.as_str());
        let places = scope.prefixes.len() + scope.entities.len();
        let keys = if places.saturating_mul(subjects.len()) <= MOST_KEYS {
            users().flat_map(|user| self.deleter.keys_of(user, scope)).collect()
        } else {
            HashSet::new()
        };
        let users = users().map(str::to_owned).collect();
        let prefixes = regulation.prefixes.clone();
        let search = Arc::new(LetterSearch { users, keys, prefixes });
        let purge = || {
            let search = Arc::clone(&search);
            self.letters.purge(move |line| search.owner(line))
        };
        let purged = self.until_done(purge).await;
        progress.letters_removed = purged.removed;
        progress.letters_left = purged.left;
        let in_topic = purged.in_topic.then_some(Shortfall::DeadLetterTopic);
        progress.shortfalls = &progress.shortfalls | &BTreeSet::from_iter(in_topic);
    }

    /// Tries until it is done.
    async fn until_done<T, E, F>(&self, attempt: impl Fn() -> F) -> T
    where
        E: std::fmt::Display,
        F: Future<Output = Result<T, E>>,
    {
        let mut pauses = RETRY.build();
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(error) => {
                    if let Some(times) = self.failures.admit(1) {
                        tracing::warn!(times, "deleting users is tried again: {error}");
                    }
                }
            }
            sleep(pauses.next().unwrap_or(NOTICE_EVERY)).await;
        }
    }
}
