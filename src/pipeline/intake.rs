//! Where events enter: decide, then push onto the lane of the key.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::dead_letter::Record;
use crate::event::{Decision, Origin, RejectReason, Rules, Transformer, Update};
use crate::redis::Placement;

use super::ack::Ack;
use super::budget::{Budget, Reservation};
use super::queue::Queue;
use crate::outcome::Outcome;

/// A message's bytes, and the room they take, for as long as any of its events is in flight.
pub struct Message {
    bytes: Bytes,
    record: Option<Record>,
    held: Reservation,
}

impl Message {
    /// `held` covers at least `bytes.len()`.
    pub fn new(bytes: Bytes, held: Reservation) -> Arc<Self> {
        Arc::new(Self { bytes, record: None, held })
    }

    /// The value of a Kafka message; `held` also covers what comes with it.
    pub fn of_record(value: Bytes, record: Record, held: Reservation) -> Arc<Self> {
        Arc::new(Self { bytes: value, record: Some(record), held })
    }

    /// Bytes of the room that it takes.
    pub fn held(&self) -> usize {
        self.held.bytes()
    }

    /// Where it came from, if that was Kafka.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// An update on its way to Redis, with all that its outcome needs.
pub struct Job {
    pub(super) update: Update,
    pub(super) ack: Ack,
    message: Arc<Message>,
    text: Range<usize>,
    /// Room for the update; none while it is refused.
    held: Option<Reservation>,
    /// Sent, and the reply is lost: perhaps written.
    sent: bool,
}

impl Job {
    /// Bytes that it holds besides its message: the update, and what carries it through its lane
    /// (the place in the queue, which may have grown to twice what is needed, and in the batch).
    pub(super) fn cost(&self) -> usize {
        self.update.cost() + 3 * size_of::<Self>()
    }

    /// The message of the event.
    pub(super) fn message(&self) -> &Message {
        &self.message
    }

    /// The event's text as its source sent it.
    pub(super) fn text(&self) -> &[u8] {
        &self.message.bytes()[self.text.clone()]
    }

    /// Where in its message the event's text stands.
    pub fn range(&self) -> Range<usize> {
        self.text.clone()
    }

    /// From now on the source cannot take it back: the write must be repeated until its outcome is
    /// known. Left out of a retry, it would let what was written before it in the same batch
    /// overwrite it.
    pub(super) fn mark_sent(&mut self) {
        self.sent = true;
    }

    /// Perhaps written.
    pub(super) fn sent(&self) -> bool {
        self.sent
    }

    /// What it was sent on is fenced: no byte of it can reach Redis any more.
    pub(super) fn mark_fenced(&mut self) {
        self.sent = false;
    }

    /// The source took it back, or no longer owns it, and nothing of it is on its way to Redis.
    pub(super) fn cancelled(&self) -> bool {
        !self.sent && (self.revoked() || self.ack.cancelled())
    }

    pub(super) fn revoked(&self) -> bool {
        self.ack.revoked()
    }
}

/// Why there is no room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// The bytes in flight, or this lane's share of them, have reached their limit.
    Full,
    /// Redis is known to be unusable.
    Down,
    /// The process is stopping.
    Stopping,
}

/// An event that was not taken; the source decides what happens to it.
pub enum Refusal {
    /// No room now: the job may be offered again with [`Intake::offer`].
    Busy(Busy, Box<Job>),
    /// It can never be written.
    Rejected(RejectReason, Ack),
}

const ROOM_RECHECK: Duration = Duration::from_millis(10);

thread_local! {
    static TRANSFORMER: RefCell<Transformer> = RefCell::default();
}

/// The door to the lanes, shared by all sources.
pub struct Intake {
    rules: Rules,
    budget: Arc<Budget>,
    lanes: Vec<Arc<Queue>>,
    placement: Placement,
    room: Arc<Notify>,
}

impl Intake {
    /// An intake with a queue for each lane of `placement`, each with its share of the budget.
    pub fn new(rules: Rules, budget: Arc<Budget>, placement: Placement) -> Self {
        let room = Arc::new(Notify::new());
        let share = budget.limit() / placement.lanes();
        let lanes = (0..placement.lanes())
            .map(|_| Arc::new(Queue::new(share, Arc::clone(&room))))
            .collect();
        Self { rules, budget, lanes, placement, room }
    }

    /// The queues, for the lanes that empty them.
    pub fn queues(&self) -> &[Arc<Queue>] {
        &self.lanes
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Resolves when room may have been made, and from time to time besides: the caller tries
    /// again.
    pub async fn room(&self) {
        // A job settled between the refusal and this call would be missed without the timeout.
        let _ = tokio::time::timeout(ROOM_RECHECK, self.room.notified()).await;
    }

    /// Nothing more is taken; what is queued is still delivered.
    pub fn close(&self) {
        self.lanes.iter().for_each(|queue| queue.close());
    }

    /// Fails the queued updates whose sources took them back, without waiting for their lanes.
    pub fn drop_cancelled(&self) {
        self.lanes.iter().for_each(|queue| queue.drop_cancelled());
    }

    /// The lane that `job` goes to.
    pub fn lane(&self, job: &Job) -> usize {
        self.placement.lane_of(job.update.key())
    }

    /// Whether half of all room, and of a lane's share when it is about one, is free: enough to go
    /// on after a pause, not to pause again at once. Bodies that are being read do not count, as
    /// long as a quarter is free besides them: slow clients must not keep other sources waiting.
    pub fn has_room(&self, lane: Option<usize>) -> bool {
        let (held, reading, limit) =
            (self.budget.held(), self.budget.reading(), self.budget.limit());
        held.saturating_sub(reading) <= limit / 2
            && held <= limit - limit / 4
            && lane.is_none_or(|lane| self.lanes[lane].has_room())
    }

    /// Transforms the event at `text` of `message` and pushes its update, or settles `ack` when it
    /// is skipped. Never waits.
    pub fn accept(
        &self,
        message: &Arc<Message>,
        text: Range<usize>,
        origin: Origin<'_>,
        mut ack: Ack,
    ) -> Result<(), Refusal> {
        let bytes = &message.bytes()[text.clone()];
        match TRANSFORMER
            .with_borrow_mut(|transformer| transformer.transform(&self.rules, origin, bytes))
        {
            Decision::Update(update) => {
                ack.set_event_time(update.event_time());
                self.offer(Job {
                    update,
                    ack,
                    message: Arc::clone(message),
                    text,
                    held: None,
                    sent: false,
                })
            }
            Decision::Skipped(reason) => {
                ack.settle(Outcome::Skipped(reason));
                Ok(())
            }
            Decision::Rejected(reason) => Err(Refusal::Rejected(reason, ack)),
        }
    }

    /// Pushes an update. Never waits.
    pub fn offer(&self, mut job: Job) -> Result<(), Refusal> {
        let cost = job.cost();
        if cost > self.budget.limit() / 2 {
            return Err(Refusal::Rejected(RejectReason::TooLarge, job.ack));
        }
        let queue = &self.lanes[self.lane(&job)];
        job.held = self.budget.try_reserve(cost);
        if job.held.is_none() {
            return Err(Refusal::Busy(queue.refuses().unwrap_or(Busy::Full), Box::new(job)));
        }
        queue.push(job).map_err(|(busy, mut job)| {
            job.held = None;
            Refusal::Busy(busy, job)
        })
    }
}
