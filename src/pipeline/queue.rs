//! The queue of a lane: pushing never waits, taking waits for the first job.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::lock::lock;

use super::job::{Busy, Job};
use super::segments::Segments;

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
    /// What a batch can take each, in order; none is empty.
    gathered: VecDeque<Gathered>,
    /// The most jobs and bytes of each; those that the last [`Queue::take`] asked for.
    limits: Option<(usize, usize)>,
    /// Where the queued updates stand.
    segments: Segments,
    /// The place of jobs that are settled, for others.
    spare: Vec<Job>,
    /// Bytes of the queued updates and of those taken and not yet released.
    bytes: usize,
    down: bool,
    closed: bool,
}

/// Jobs that are taken at once.
#[derive(Default)]
struct Gathered {
    jobs: Vec<Job>,
    bytes: usize,
}

impl Gathered {
    /// Whether a job of `cost` bytes may be taken with these.
    fn takes(&self, cost: usize, limits: Option<(usize, usize)>) -> bool {
        limits.is_none_or(|(jobs, bytes)| self.jobs.len() < jobs && self.bytes + cost <= bytes)
    }

    fn add(&mut self, job: Job, cost: usize) {
        self.jobs.push(job);
        self.bytes += cost;
    }

    /// Cuts off what is beyond the limits, but never the first job.
    fn split_off(&mut self, max_jobs: usize, max_bytes: usize) -> Option<Self> {
        if self.jobs.len() <= max_jobs && self.bytes <= max_bytes {
            return None;
        }
        let mut bytes = 0;
        let fits = |job: &&Job| {
            bytes += job.cost();
            bytes <= max_bytes
        };
        let count = self.jobs.iter().take(max_jobs).take_while(fits).count().max(1);
        let jobs = self.jobs.split_off(count);
        let bytes = jobs.iter().map(Job::cost).sum();
        self.bytes -= bytes;
        (!jobs.is_empty()).then_some(Self { jobs, bytes })
    }

    /// Takes the cancelled jobs out. The others wait on, and must not keep the room of those.
    fn cancelled(&mut self) -> Vec<Job> {
        let (cancelled, kept): (Vec<Job>, _) =
            std::mem::take(&mut self.jobs).into_iter().partition(Job::cancelled);
        self.jobs = kept;
        self.jobs.iter_mut().for_each(|job| job.update.move_out());
        self.bytes -= cancelled.iter().map(Job::cost).sum::<usize>();
        cancelled
    }
}

impl QueueState {
    fn refuses(&self) -> Option<Busy> {
        match (self.closed, self.down) {
            (true, _) => Some(Busy::Stopping),
            (_, true) => Some(Busy::Down),
            _ => None,
        }
    }

    fn push(&mut self, mut job: Job, cost: usize) {
        self.bytes += cost;
        self.segments.take_in(&mut job.update);
        match self.gathered.back_mut() {
            Some(last) if last.takes(cost, self.limits) => last.add(job, cost),
            _ => {
                let mut next = Gathered { jobs: std::mem::take(&mut self.spare), bytes: 0 };
                next.add(job, cost);
                self.gathered.push_back(next);
            }
        }
    }

    fn take(&mut self, max_jobs: usize, max_bytes: usize) -> Option<Vec<Job>> {
        self.limits = Some((max_jobs, max_bytes));
        let mut first = self.gathered.pop_front()?;
        if let Some(rest) = first.split_off(max_jobs, max_bytes) {
            self.gathered.push_front(rest);
        }
        Some(first.jobs)
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
        (state.gathered.iter().map(|gathered| gathered.jobs.len()).sum(), state.bytes)
    }

    /// Never waits. A job that finds no room comes back. One of a large message leaves a part of
    /// the lane's share to others.
    pub fn push(&self, job: Job) -> Result<(), (Busy, Box<Job>)> {
        let cost = job.cost();
        let limit = if job.leaves_room() { self.share - self.share / 8 } else { self.share };
        let mut state = self.lock();
        if let Some(busy) = state.refuses() {
            return Err((busy, Box::new(job)));
        }
        if state.bytes > 0 && state.bytes + cost > limit {
            return Err((Busy::Full, Box::new(job)));
        }
        let was_empty = state.gathered.is_empty();
        state.push(job, cost);
        drop(state);
        // Otherwise the lane was woken for the first job, and takes what gathers behind it.
        if was_empty {
            self.pushed.notify_one();
        }
        Ok(())
    }

    /// Waits for the first job and takes those that have gathered, at most `max_jobs`, and at most
    /// `max_bytes` unless one update alone is larger. `None`: closed and empty. Every job taken
    /// must be given back to [`Queue::release`] by its cost.
    pub async fn take(&self, max_jobs: usize, max_bytes: usize) -> Option<Vec<Job>> {
        loop {
            {
                let mut state = self.lock();
                if let Some(jobs) = state.take(max_jobs, max_bytes) {
                    return Some(jobs);
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

    /// Gives back the place in memory of jobs that were taken; those that are still in it fail.
    pub fn recycle(&self, mut place: Vec<Job>) {
        place.clear();
        let mut state = self.lock();
        if state.spare.capacity() < place.capacity() {
            std::mem::swap(&mut state.spare, &mut place);
        }
    }

    /// Fails the queued jobs whose source took them back, so that their room is free before the
    /// lane comes to them.
    pub fn drop_cancelled(&self) {
        let mut state = self.lock();
        let mut all = Vec::new();
        for gathered in &mut state.gathered {
            if gathered.jobs.iter().any(Job::cancelled) {
                all.append(&mut gathered.cancelled());
            }
        }
        if all.is_empty() {
            return;
        }
        state.gathered.retain(|gathered| !gathered.jobs.is_empty());
        state.bytes -= all.iter().map(Job::cost).sum::<usize>();
        drop(state);
        // Outside the lock: a dropped ack calls back into its source.
        drop(all);
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
        let gathered = std::mem::take(&mut self.lock().gathered);
        drop(gathered);
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::event::{Origin, Update};
    use crate::metrics::Metrics;
    use crate::outcome::{Outcome, Source};
    use crate::pipeline::ack::{Ack, Receipts};
    use crate::pipeline::budget::Budget;
    use crate::pipeline::message::Message;

    /// A source that may take back its events.
    #[derive(Default)]
    struct Withdrawing {
        cancelled: AtomicBool,
        failed: Mutex<Vec<u64>>,
    }

    impl Receipts for Withdrawing {
        fn settle(&self, position: u64, outcome: Outcome) {
            assert_eq!(outcome, Outcome::Failed);
            lock(&self.failed).push(position);
        }

        fn cancelled(&self) -> bool {
            self.cancelled.load(Relaxed)
        }
    }

    struct Jobs {
        metrics: Arc<Metrics>,
        sources: [Arc<Withdrawing>; 2],
    }

    impl Jobs {
        fn new() -> Self {
            Self { metrics: Arc::new(Metrics::new()), sources: Default::default() }
        }

        /// An event of one of the sources, with a value of so many bytes.
        fn job(&self, source: usize, position: u64, bytes: usize) -> Job {
            let receipts = Arc::clone(&self.sources[source]) as _;
            let metrics = Arc::clone(&self.metrics);
            let ack = Ack::new(Source::File, receipts, position, metrics, Instant::now());
            let (key, value) = (position.to_string(), vec![b'x'; bytes]);
            let fields = std::iter::once((b"a".as_slice(), value.as_slice()));
            let update = Update::pack(key.as_bytes(), fields, std::iter::empty(), None);
            let budget = Budget::new(9, self.metrics.in_flight_bytes.clone());
            let message = Message::new(Bytes::new(), budget.try_reserve(0).unwrap());
            Job::new(update, ack, &message, 0..0, Origin::default())
        }
    }

    fn queue() -> Queue {
        Queue::new(1 << 20, Arc::default())
    }

    fn keys(jobs: &[Job]) -> Vec<&str> {
        jobs.iter().map(|job| std::str::from_utf8(job.update.key()).unwrap()).collect()
    }

    #[tokio::test]
    async fn jobs_are_taken_in_order_and_within_the_limits() {
        let (queue, jobs) = (queue(), Jobs::new());
        let cost = jobs.job(0, 0, 10).cost();
        // What gathered before the first batch may be more than a batch takes.
        for position in 0..5 {
            assert!(queue.push(jobs.job(0, position, 10)).is_ok());
        }
        let first = queue.take(3, usize::MAX).await.unwrap();
        assert_eq!(keys(&first), ["0", "1", "2"]);
        queue.recycle(first);
        queue.release(3 * cost);
        for position in 5..9 {
            assert!(queue.push(jobs.job(0, position, 10)).is_ok());
        }
        assert_eq!(queue.held(), (6, 6 * cost));
        assert_eq!(keys(&queue.take(3, usize::MAX).await.unwrap()), ["3", "4", "5"]);
        assert_eq!(keys(&queue.take(9, 2 * cost).await.unwrap()), ["6", "7"]);
        assert_eq!(keys(&queue.take(9, 1).await.unwrap()), ["8"], "never less than one");
        queue.close();
        assert!(queue.take(9, usize::MAX).await.is_none());
    }

    #[tokio::test]
    async fn a_job_that_was_taken_back_makes_room() {
        let (queue, jobs) = (queue(), Jobs::new());
        assert!(queue.push(jobs.job(0, 0, 10)).is_ok());
        drop(queue.take(2, usize::MAX).await);
        for position in 1..6 {
            assert!(queue.push(jobs.job(usize::from(position > 3), position, 10)).is_ok());
        }
        let (_, bytes) = queue.held();
        queue.drop_cancelled();
        assert_eq!(queue.held(), (5, bytes), "no source took its events back");
        jobs.sources[1].cancelled.store(true, Relaxed);
        queue.drop_cancelled();
        assert_eq!(*lock(&jobs.sources[1].failed), [4, 5]);
        assert_eq!(queue.held(), (3, bytes - 2 * jobs.job(0, 4, 10).cost()));
        assert_eq!(keys(&queue.take(9, usize::MAX).await.unwrap()), ["1", "2"]);
        assert_eq!(keys(&queue.take(9, usize::MAX).await.unwrap()), ["3"]);
    }
}
