//! Offering a record's events to their lanes, and sending on those that are rejected.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::event::{Arrival, Origin, RejectReason};
use crate::pipeline::{Ack, Busy, Intake, NotAccepted, Reservation, admit, reserve};
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
struct ShortWait(Option<Instant>);

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
                    let origin = Origin {
                        prefix: &self.prefix,
                        wrapped: true,
                        may_delete: true,
                        arrival: produced.map_or(Arrival::Now, Arrival::At),
                        gateway: true,
                        sent_at: pending.rest.sent_at(pending.message.bytes()),
                        ..Origin::default()
                    };
                    let ack = assignment.ack(pending.position, pending.received);
                    (text.clone(), self.intake.accept(&pending.message, text, origin, ack))
                }
            };
            match self.wait(offered) {
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

    /// Waits a moment for a lane that is full, and not for one that is down.
    fn wait(&self, offered: Result<(), NotAccepted>) -> Result<(), NotAccepted> {
        // The runtime is asked only when there is something to wait for.
        let Err(NotAccepted::Busy(Busy::Full, _)) = &offered else { return offered };
        let mut wait = ShortWait::default();
        let goes_on = |busy| busy == Busy::Full && wait.goes_on();
        self.runtime.block_on(admit(&self.intake, offered, goes_on))
    }

    fn reject(&self, reason: RejectReason, ack: Ack, pending: &PendingRecord, text: Range<usize>) {
        let message = Arc::clone(&pending.message);
        // Without a receiver the process is stopping hard: dropped is failed.
        let _ = self.rejected.send(RejectedEvent { reason, ack, message, text });
    }
}
