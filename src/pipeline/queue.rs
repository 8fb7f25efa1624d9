//! The queue of a lane: pushing never waits, taking waits for the first job.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::lock::lock;

use super::job::{Busy, Job};

/// The jobs of one lane, in the order in which they were accepted.
pub struct Queue {
    /// Bytes of updates this lane may hold, queued or in its batch; a lane that holds nothing takes
    /// any one update.
    share: usize,
    state: Mutex<QueueState>,
    pushed: Notify,
    /// Notified when room was made, in any lane: jobs were settled or taken back, or a lane is up
    /// again.
    room: Arc<Notify>,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Job>,
    /// Bytes of the queued updates and of those taken and not yet released.
    bytes: usize,
    down: bool,
    closed: bool,
}

impl QueueState {
    fn refuses(&self) -> Option<Busy> {
        match (self.closed, self.down) {
            (true, _) => Some(Busy::Stopping),
            (_, true) => Some(Busy::Down),
            _ => None,
        }
    }
}

impl Queue {
    /// `share` is in bytes; `room` is notified when room was made.
    pub fn new(share: usize, room: Arc<Notify>) -> Self {
        Self { share, state: Mutex::default(), pushed: Notify::new(), room }
    }

    /// Why the lane takes no update at all now.
    pub fn refuses(&self) -> Option<Busy> {
        self.lock().refuses()
    }

    /// Whether updates are taken and half of the share is free.
    pub fn has_room(&self) -> bool {
        let state = self.lock();
        state.refuses().is_none() && state.bytes <= self.share / 2
    }

    /// Jobs that wait, and the bytes of these and of those that were taken and not yet released.
    pub fn held(&self) -> (usize, usize) {
        let state = self.lock();
        (state.jobs.len(), state.bytes)
    }

    /// Never waits. A job that finds no room comes back.
    pub fn push(&self, job: Job) -> Result<(), (Busy, Box<Job>)> {
        let cost = job.cost();
        let mut state = self.lock();
        if let Some(busy) = state.refuses() {
            return Err((busy, Box::new(job)));
        }
        if state.bytes > 0 && state.bytes + cost > self.share {
            return Err((Busy::Full, Box::new(job)));
        }
        state.bytes += cost;
        state.jobs.push_back(job);
        drop(state);
        self.pushed.notify_one();
        Ok(())
    }

    /// Waits for the first job and takes those that have gathered, at most `max_jobs`, and at most
    /// `max_bytes` unless one update alone is larger. `None`: closed and empty. Every job taken
    /// must be given back to [`Queue::release`] by its cost.
    pub async fn take(&self, max_jobs: usize, max_bytes: usize) -> Option<Vec<Job>> {
        loop {
            {
                let mut state = self.lock();
                let mut bytes = 0;
                let fits = |job: &&Job| {
                    bytes += job.cost();
                    bytes <= max_bytes
                };
                let count = state.jobs.iter().take(max_jobs).take_while(fits).count();
                let count = count.max(1).min(state.jobs.len());
                if count > 0 {
                    return Some(state.jobs.drain(..count).collect());
                }
                if state.closed {
                    return None;
                }
            }
            self.pushed.notified().await;
        }
    }

    /// Gives back the room of jobs that were taken and are settled.
    pub fn release(&self, bytes: usize) {
        self.lock().bytes -= bytes;
        self.room.notify_waiters();
    }

    /// Fails the queued jobs whose source took them back, so that their room is free before the
    /// lane comes to them.
    pub fn drop_cancelled(&self) {
        let mut state = self.lock();
        if !state.jobs.iter().any(Job::cancelled) {
            return;
        }
        let (cancelled, kept): (VecDeque<Job>, _) =
            std::mem::take(&mut state.jobs).into_iter().partition(Job::cancelled);
        state.jobs = kept;
        state.bytes -= cancelled.iter().map(|job| job.cost()).sum::<usize>();
        drop(state);
        // Outside the lock: a dropped ack calls back into its source.
        drop(cancelled);
        self.room.notify_waiters();
    }

    /// A lane that is down refuses at once.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
        self.room.notify_waiters();
    }

    /// Takes no more jobs; queued ones are still delivered.
    pub fn close(&self) {
        self.lock().closed = true;
        self.pushed.notify_one();
        self.room.notify_waiters();
    }

    /// Closed, and every queued job fails.
    pub fn abandon(&self) {
        self.close();
        let jobs = std::mem::take(&mut self.lock().jobs);
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        lock(&self.state)
    }
}
