//! The open connections of one listener, and which of them is closed when there are too many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::lock::lock;
use crate::logging::Throttle;

use super::activity::Activity;

/// Time between two log lines about closed connections.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// Connections that were closed and whose tasks have not ended, at most.
const MAX_CLOSING: usize = 64;
/// Time between two looks for a silent client while a listener is full.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The open connections of one listener.
pub(super) struct Connections {
    max: usize,
    table: Mutex<ConnectionTable>,
    /// Notified when a connection's task has ended.
    ended: Notify,
    evictions: Throttle,
}

#[derive(Default)]
struct ConnectionTable {
    next_id: u64,
    open: HashMap<u64, OpenConnection>,
    /// Connections that were closed to make room; their tasks have not ended yet.
    closing: usize,
}

struct OpenConnection {
    activity: Arc<Activity>,
    /// None until its task runs.
    task: Option<AbortHandle>,
}

impl Connections {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            table: Mutex::default(),
            ended: Notify::new(),
            evictions: Throttle::new(LOG_INTERVAL),
        })
    }

    /// Returns when there is room for one more connection. Closes the one that is silent for
    /// longest; while all requests are being answered, waits for the first that ends.
    pub(super) async fn wait_for_room(&self) {
        loop {
            let closing = {
                let table = self.lock();
                if table.open.len() < self.max {
                    return;
                }
                table.closing
            };
            if closing >= MAX_CLOSING || !self.evict() {
                let _ = timeout(RETRY_PAUSE, self.ended.notified()).await;
            }
        }
    }

    /// Adds a connection, until its [`ConnectionSlot`] is dropped.
    pub(super) fn add(self: &Arc<Self>, activity: Arc<Activity>) -> ConnectionSlot {
        let mut table = self.lock();
        let id = table.next_id;
        table.next_id += 1;
        table.open.insert(id, OpenConnection { activity, task: None });
        ConnectionSlot { connections: Arc::clone(self), id }
    }

    /// Sets the task that serves the connection `id`.
    pub(super) fn set_task(&self, id: u64, task: AbortHandle) {
        if let Some(connection) = self.lock().open.get_mut(&id) {
            connection.task = Some(task);
        }
    }

    /// Closes the connection of the client that is silent for longest; false when there is none.
    pub(super) fn evict(&self) -> bool {
        let now = Instant::now();
        let mut table = self.lock();
        let silent = |(&id, connection): (&u64, &OpenConnection)| {
            connection.task.as_ref()?;
            Some((connection.activity.silence(now)?, id))
        };
        let Some((silence, id)) = table.open.iter().filter_map(silent).max() else {
            return false;
        };
        let task = table.open.remove(&id).and_then(|connection| connection.task);
        table.closing += 1;
        drop(table);
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

    fn lock(&self) -> MutexGuard<'_, ConnectionTable> {
        lock(&self.table)
    }
}

/// A connection's entry in the table, which is removed when this is dropped.
pub(super) struct ConnectionSlot {
    connections: Arc<Connections>,
    pub(super) id: u64,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut table = self.connections.lock();
        if table.open.remove(&self.id).is_none() {
            table.closing -= 1;
        }
        drop(table);
        self.connections.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::super::ListenerLimits;
    use super::*;

    /// A connection whose task never ends by itself.
    fn connect(connections: &Arc<Connections>) -> (Arc<Activity>, tokio::task::JoinHandle<()>) {
        let activity = Arc::new(Activity::new(Arc::new(ListenerLimits::default())));
        let slot = connections.add(Arc::clone(&activity));
        let id = slot.id;
        let task = tokio::spawn(async move {
            let _slot = slot;
            std::future::pending::<()>().await;
        });
        connections.set_task(id, task.abort_handle());
        (activity, task)
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_silent_is_closed_and_never_one_that_is_being_answered() {
        let connections = Connections::new(3);
        let (answering, first) = connect(&connections);
        answering.request_began();
        advance(Duration::from_secs(1)).await;
        let (_, second) = connect(&connections);
        advance(Duration::from_secs(1)).await;
        let (_, third) = connect(&connections);
        connections.wait_for_room().await;
        assert!(second.await.unwrap_err().is_cancelled());
        assert!(connections.evict());
        assert!(third.await.unwrap_err().is_cancelled());
        assert!(!connections.evict() && !first.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_are_being_answered_the_next_waits_for_the_first_that_ends() {
        let connections = Connections::new(1);
        let (answering, task) = connect(&connections);
        answering.request_began();
        assert!(timeout(Duration::from_secs(60), connections.wait_for_room()).await.is_err());
        task.abort();
        assert!(timeout(Duration::from_secs(1), connections.wait_for_room()).await.is_ok());
    }
}
