//! The way of a record's events into the pipeline, or into the dead letters.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::event::{Origin, RejectReason};
use crate::pipeline::{Ack, Busy, Intake, Refusal, Reservation};

use super::assignment::Assignment;
use super::burial::Dead;
use super::record::InHand;

/// How long to wait for room before a partition is paused: pausing throws away what was fetched
/// ahead.
const PATIENCE: Duration = Duration::from_millis(100);

/// Begins when it is asked for: mostly there is room at once, and reading the clock for each record
/// is not free.
#[derive(Default)]
struct Patience(Option<Instant>);

impl Patience {
    fn lasts(&mut self) -> bool {
        self.0.get_or_insert_with(Instant::now).elapsed() < PATIENCE
    }
}

/// Shared by all partitions of the source.
pub(super) struct Door {
    pub(super) intake: Arc<Intake>,
    pub(super) prefix: String,
    /// Where rejected events go; bounded by the room that their messages hold.
    pub(super) burial: UnboundedSender<Dead>,
    pub(super) runtime: Handle,
}

/// The lane that has no room.
#[derive(Debug)]
pub(super) struct NoRoom {
    pub(super) lane: usize,
}

impl Door {
    /// Room for `bytes`; waits a moment for it. What is larger than half of all room counts as that
    /// half: it must not wait for ever.
    pub(super) fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let budget = self.intake.budget();
        let mut patience = Patience::default();
        loop {
            let held = budget.try_reserve(bytes.min(budget.limit() / 2));
            if held.is_some() || !patience.lasts() {
                return held;
            }
            self.wait_for_room();
        }
    }

    /// Pushes the events of a record, in order, as far as there is room; waits for it a moment at
    /// each. What found none stays in hand.
    pub(super) fn push(
        &self,
        assignment: &Arc<Assignment>,
        hand: &mut InHand,
    ) -> Result<(), NoRoom> {
        let mut patience = Patience::default();
        loop {
            let (text, taken) = match hand.job.take() {
                Some(job) => (job.range(), self.intake.offer(*job)),
                None => {
                    let Some(text) = hand.rest.next(hand.message.bytes()) else { return Ok(()) };
                    let origin = Origin { prefix: &self.prefix, path_type: None, wrapped: true };
                    let ack = assignment.ack(hand.position, hand.received);
                    (text.clone(), self.intake.accept(&hand.message, text, origin, ack))
                }
            };
            match taken {
                Ok(()) => patience = Patience::default(),
                Err(Refusal::Rejected(reason, ack)) => self.bury(reason, ack, hand, text),
                Err(Refusal::Busy(busy, job)) => {
                    let lane = self.intake.lane(&job);
                    hand.job = Some(job);
                    if busy != Busy::Full || !patience.lasts() {
                        return Err(NoRoom { lane });
                    }
                    self.wait_for_room();
                }
            }
        }
    }

    fn bury(&self, reason: RejectReason, ack: Ack, hand: &InHand, text: Range<usize>) {
        // Without a receiver the process is stopping hard: dropped is failed.
        let _ = self.burial.send(Dead { reason, ack, message: Arc::clone(&hand.message), text });
    }

    fn wait_for_room(&self) {
        self.runtime.block_on(self.intake.room());
    }
}
