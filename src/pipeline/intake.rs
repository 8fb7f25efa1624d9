//! Where events enter: each is transformed, and its update pushed onto the lane of its key.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::event::{Decision, Explanation, Origin, RejectReason, Rules, Transformer};
use crate::outcome::Outcome;
use crate::redis::Placement;
use crate::tap::Tap;

use super::ack::Ack;
use super::budget::Budget;
use super::job::{Busy, Job, Message};
use super::queue::Queue;

/// An event that was not accepted; its source decides what happens to it.
pub enum NotAccepted {
    /// There is no room now: the job may be offered again with [`Intake::offer`]. Dropping the job
    /// fails the event.
    Busy(Busy, Box<Job>),
    /// The event can never be written.
    Rejected(RejectReason, Ack),
}

const ROOM_RECHECK: Duration = Duration::from_millis(10);

thread_local! {
    static TRANSFORMER: RefCell<Transformer> = RefCell::default();
}

/// The entrance to the lanes, shared by all sources.
pub struct Intake {
    rules: Rules,
    budget: Arc<Budget>,
    lanes: Vec<Arc<Queue>>,
    placement: Placement,
    room: Arc<Notify>,
    tap: Option<Arc<Tap>>,
}

impl Intake {
    /// An intake with a queue for each lane of `placement`, each with its share of the budget.
    pub fn new(rules: Rules, budget: Arc<Budget>, placement: Placement) -> Self {
        let room = Arc::new(Notify::new());
        let share = budget.limit() / placement.lanes();
        let lanes = (0..placement.lanes())
            .map(|_| Arc::new(Queue::new(share, Arc::clone(&room))))
            .collect();
        Self { rules, budget, lanes, placement, room, tap: None }
    }

    /// Shows every decision to whoever watches `tap`.
    pub fn with_tap(self, tap: Arc<Tap>) -> Self {
        Self { tap: Some(tap), ..self }
    }

    /// The queues, for the lanes that empty them.
    pub fn queues(&self) -> &[Arc<Queue>] {
        &self.lanes
    }

    /// The rules by which events are transformed.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The bound on bytes in flight.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Resolves when room may have been made, and from time to time besides: the caller tries
    /// again.
    pub async fn room(&self) {
        // Room that was made between the refusal and this call would be missed without the timeout.
        let _ = tokio::time::timeout(ROOM_RECHECK, self.room.notified()).await;
    }

    /// Takes no more updates; queued ones are still delivered. Those who watch the tap have seen
    /// everything.
    pub fn close(&self) {
        self.lanes.iter().for_each(|queue| queue.close());
        self.tap.iter().for_each(|tap| tap.close());
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
    ) -> Result<(), NotAccepted> {
        let bytes = &message.bytes()[text.clone()];
        let profile = &self.rules.profile;
        let now = if profile.needs_clock() { Timestamp::now().as_millisecond() } else { 0 };
        let origin = Origin { now, ..origin };
        let decision = TRANSFORMER.with_borrow_mut(|transformer| {
            let decision = transformer.transform(&self.rules, origin, bytes);
            if let Some(tap) = self.tap.as_ref().filter(|tap| tap.is_watched()) {
                let time = transformer.time();
                tap.show(ack.source(), Explanation::new(&decision).of_profile(profile, time));
            }
            decision
        });
        match decision {
            Decision::Update(update) => {
                ack.set_event_time(update.event_time());
                self.offer(Job::new(update, ack, message, text, origin))
            }
            Decision::Skipped(reason) => {
                ack.settle(Outcome::Skipped(reason));
                Ok(())
            }
            Decision::Rejected(reason) => Err(NotAccepted::Rejected(reason, ack)),
        }
    }

    /// Bytes that may be held once `job` has its room. A large message leaves an eighth to others,
    /// but for an event that could then never find room.
    fn limit(&self, job: &Job) -> usize {
        let limit = self.budget.limit();
        let left = limit / 8;
        let fits_alone = job.message().held() <= limit / 2 && job.cost() <= left;
        if job.leaves_room() && fits_alone { limit - left } else { limit }
    }

    /// Pushes an update. Never waits.
    pub fn offer(&self, mut job: Job) -> Result<(), NotAccepted> {
        let cost = job.cost();
        if cost > self.budget.limit() / 2 {
            return Err(NotAccepted::Rejected(RejectReason::TooLarge, job.ack));
        }
        let queue = &self.lanes[self.lane(&job)];
        let Some(held) = self.budget.try_reserve_below(cost, self.limit(&job)) else {
            return Err(NotAccepted::Busy(queue.refuses().unwrap_or(Busy::Full), Box::new(job)));
        };
        job.hold(Some(held));
        queue.push(job).map_err(|(busy, mut job)| {
            job.hold(None);
            NotAccepted::Busy(busy, job)
        })
    }
}
