//! The connections of one listener, and which of them gives way when they become too many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::logging::Throttle;

use super::phase::Phase;

/// How often it is logged that connections give way, at most.
const LOG_EVERY: Duration = Duration::from_secs(60);
/// Connections that were closed and are not gone yet, at most.
const LEAVING: usize = 64;
/// How soon a full listener looks again whether a client has fallen silent.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The open connections of one listener.
pub(super) struct Crowd {
    max: usize,
    members: Mutex<Members>,
    left: Notify,
    evictions: Throttle,
}

#[derive(Default)]
struct Members {
    next: u64,
    open: HashMap<u64, Member>,
    /// Closed to make room; their tasks have not ended yet.
    leaving: usize,
}

struct Member {
    phase: Arc<Phase>,
    /// None until its task runs.
    task: Option<AbortHandle>,
}

impl Crowd {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            members: Mutex::default(),
            left: Notify::new(),
            evictions: Throttle::new(LOG_EVERY),
        })
    }

    /// Returns when there is room for one more. The client that is silent for longest makes it;
    /// when all are being answered, the first that ends.
    pub(super) async fn room(&self) {
        loop {
            let leaving = {
                let members = self.lock();
                if members.open.len() < self.max {
                    return;
                }
                members.leaving
            };
            if leaving >= LEAVING || !self.evict() {
                let _ = timeout(LOOK_EVERY, self.left.notified()).await;
            }
        }
    }

    /// Counts a connection until the [`Place`] is dropped.
    pub(super) fn join(self: &Arc<Self>, phase: Arc<Phase>) -> Place {
        let mut members = self.lock();
        let id = members.next;
        members.next += 1;
        members.open.insert(id, Member { phase, task: None });
        Place { crowd: Arc::clone(self), id }
    }

    /// `task` serves the connection `id`.
    pub(super) fn runs(&self, id: u64, task: AbortHandle) {
        if let Some(member) = self.lock().open.get_mut(&id) {
            member.task = Some(task);
        }
    }

    /// Closes the connection of the client that is silent for longest; false when there is none.
    pub(super) fn evict(&self) -> bool {
        let now = Instant::now();
        let mut members = self.lock();
        let silent = |(&id, member): (&u64, &Member)| {
            member.task.as_ref()?;
            Some((member.phase.silence(now)?, id))
        };
        let Some((silence, id)) = members.open.iter().filter_map(silent).max() else {
            return false;
        };
        let task = members.open.remove(&id).and_then(|member| member.task);
        members.leaving += 1;
        drop(members);
        task.into_iter().for_each(|task| task.abort());
        if let Some(times) = self.evictions.admit(1) {
            tracing::warn!(
                max = self.max,
                ?silence,
                times,
                "too many connections: the ones that are silent for longest are closed"
            );
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection; free again when dropped.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    pub(super) id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut members = self.crowd.lock();
        if members.open.remove(&self.id).is_none() {
            members.leaving -= 1;
        }
        drop(members);
        self.crowd.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::super::Limits;
    use super::*;

    /// A connection whose task never ends by itself.
    fn connect(crowd: &Arc<Crowd>) -> (Arc<Phase>, tokio::task::JoinHandle<()>) {
        let phase = Arc::new(Phase::new(Arc::new(Limits::default())));
        let place = crowd.join(Arc::clone(&phase));
        let id = place.id;
        let task = tokio::spawn(async move {
            let _place = place;
            std::future::pending::<()>().await;
        });
        crowd.runs(id, task.abort_handle());
        (phase, task)
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_silent_gives_way_and_never_one_that_is_being_answered() {
        let crowd = Crowd::new(3);
        let (answering, first) = connect(&crowd);
        answering.request_began();
        advance(Duration::from_secs(1)).await;
        let (_, second) = connect(&crowd);
        advance(Duration::from_secs(1)).await;
        let (_, third) = connect(&crowd);
        crowd.room().await;
        assert!(second.await.unwrap_err().is_cancelled());
        assert!(crowd.evict());
        assert!(third.await.unwrap_err().is_cancelled());
        assert!(!crowd.evict() && !first.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_are_being_answered_the_next_waits_for_the_first_that_ends() {
        let crowd = Crowd::new(1);
        let (answering, task) = connect(&crowd);
        answering.request_began();
        assert!(timeout(Duration::from_secs(60), crowd.room()).await.is_err());
        task.abort();
        assert!(timeout(Duration::from_secs(1), crowd.room()).await.is_ok());
    }
}
