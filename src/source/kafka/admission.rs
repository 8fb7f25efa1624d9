//! Offering a record's events to their lanes, and sending on those that are rejected.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::event::{Arrival, Decision, Origin, RejectReason};
use crate::pipeline::{Ack, Busy, Intake, Job, NotAccepted, Outcome, Reservation, admit, reserve};
use crate::profile::Prefix;

use super::assignment::Assignment;
use super::record::PendingRecord;
use super::rejected::RejectedEvent;

/// How long to wait for room before a partition is paused: pausing throws away what was fetched
/// ahead.
const WAIT: Duration = Duration::from_millis(100);

/// A short wait that begins at the first question: mostly there is room at once, and reading the
/// clock for each record is not free.
#[derive(Default)]
pub(super) struct ShortWait(Option<Instant>);

impl ShortWait {
    fn goes_on(&mut self) -> bool {
        self.0.get_or_insert_with(Instant::now).elapsed() < WAIT
    }
}

/// The way into the pipeline, shared by all partitions of the source. Blocks the polling thread, on
/// which it is used.
pub(super) struct RecordAdmission {
    pub(super) intake: Arc<Intake>,
    /// The prefix of Redis keys.
    pub(super) prefix: Prefix,
    /// A record without a value deletes the user who is its key.
    pub(super) tombstones_delete: bool,
    /// Where rejected events go; bounded by the room that their messages hold.
    pub(super) rejected: UnboundedSender<RejectedEvent>,
    pub(super) runtime: Handle,
}

/// The lane that has no room.
#[derive(Debug)]
pub(super) struct BusyLane(pub(super) usize);

impl RecordAdmission {
    /// Room for `bytes`; waits a moment for it. A record larger than half of all room counts as
    /// that half, so that it does not wait for ever.
    pub(super) fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let budget = self.intake.budget();
        let bytes = bytes.min(budget.limit() / 2);
        budget.try_reserve(bytes).or_else(|| {
            let mut wait = ShortWait::default();
            self.runtime.block_on(reserve(&self.intake, bytes, || wait.goes_on()))
        })
    }

    /// Offers the events of a record to their lanes, in order, as far as there is room; waits a
    /// moment at each.
    ///
    /// # Errors
    /// A lane had no room: the event stays in `pending`, and those after it.
    pub(super) fn admit(
        &self,
        assignment: &Arc<Assignment>,
        pending: &mut PendingRecord,
    ) -> Result<(), BusyLane> {
        loop {
            let (text, offered) = match pending.job.take() {
                Some(job) => (job.range(), self.intake.offer(*job)),
                None => {
                    let Some(text) = pending.rest.next(pending.message.bytes()) else {
                        return Ok(());
                    };
                    let produced = pending.message.record().and_then(|record| record.timestamp);
                    let sent_at = pending.rest.sent_at(pending.message.bytes());
                    let origin = self.origin(produced, sent_at);
                    let ack = assignment.ack(pending.position, pending.received);
                    (text.clone(), self.intake.accept(&pending.message, text, origin, ack))
                }
            };
            match self.wait(offered, &mut ShortWait::default()) {
                Ok(()) => {}
                Err(NotAccepted::Rejected(reason, ack)) => self.reject(reason, ack, pending, text),
                Err(NotAccepted::Busy(_, job)) => {
                    let lane = self.intake.lane(&job);
                    pending.job = Some(job);
                    return Err(BusyLane(lane));
                }
            }
        }
    }

    /// The facts about an event of a record that was `produced` at this time.
    pub(super) fn origin<'a>(
        &'a self,
        produced: Option<i64>,
        sent_at: Option<&'a str>,
    ) -> Origin<'a> {
        Origin {
            prefix: &self.prefix,
            wrapped: true,
            may_delete: true,
            arrival: produced.map_or(Arrival::Now, Arrival::At),
            gateway: true,
            sent_at,
            ..Origin::default()
        }
    }

    /// Applies the `decision` on the event at `text`, the only one of `pending`, which is no skip:
    /// an update becomes the pending job.
    pub(super) fn decided(
        &self,
        assignment: &Arc<Assignment>,
        pending: &mut PendingRecord,
        text: Range<usize>,
        decision: Decision,
    ) {
        let ack = assignment.ack(pending.position, pending.received);
        match decision {
            Decision::Update(update) => {
                let origin = self.origin(None, None);
                let job = self.intake.job(update, ack, &pending.message, text, origin);
                pending.job = Some(Box::new(job));
            }
            Decision::Rejected(reason) => self.reject(reason, ack, pending, text),
            Decision::Skipped(reason) => ack.settle(Outcome::Skipped(reason)),
        }
    }

    /// Offers a job of a bundle again whose lane was `busy`; it comes back when there is still no
    /// place.
    pub(super) fn push_again(
        &self,
        busy: Busy,
        job: Box<Job>,
        wait: &mut ShortWait,
    ) -> Option<Box<Job>> {
        match self.wait(Err(NotAccepted::Busy(busy, job)), wait) {
            Err(NotAccepted::Busy(_, job)) => Some(job),
            Ok(()) | Err(NotAccepted::Rejected(..)) => None,
        }
    }

    /// Waits a moment for a lane that is full, and not for one that is down.
    fn wait(
        &self,
        offered: Result<(), NotAccepted>,
        wait: &mut ShortWait,
    ) -> Result<(), NotAccepted> {
        // The runtime is asked only when there is something to wait for.
        let Err(NotAccepted::Busy(Busy::Full, _)) = &offered else { return offered };
        let goes_on = |busy| busy == Busy::Full && wait.goes_on();
        self.runtime.block_on(admit(&self.intake, offered, goes_on))
    }

    fn reject(&self, reason: RejectReason, ack: Ack, pending: &PendingRecord, text: Range<usize>) {
        let message = Arc::clone(&pending.message);
        // Without a receiver the process is stopping hard: dropped is failed.
        let _ = self.rejected.send(RejectedEvent { reason, ack, message, text });
    }
}
