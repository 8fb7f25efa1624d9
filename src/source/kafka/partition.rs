//! One assigned partition as the polling thread sees it: whether records are taken, and where
//! reading continues.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use rdkafka::{Offset, statistics};

use crate::pipeline::Ack;
use crate::source::log::HeldOffsets;

use super::assignment::Assignment;
use super::record::PendingRecord;

/// The first and the longest pause before a record that failed is read again.
const REWIND_MIN: Duration = Duration::from_millis(100);
const REWIND_MAX: Duration = Duration::from_secs(5);

/// A partition that is assigned to this member.
pub(super) struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) number: i32,
    pub(super) assignment: Arc<Assignment>,
    /// The generation of reading in which it was assigned, or resumed: a record that was polled
    /// before is read again.
    pub(super) since: u64,
    pub(super) flow: PartitionFlow,
    held: HeldOffsets,
    /// The last record that was taken.
    last: Option<i64>,
    /// The last record, if it and perhaps others before it were skipped, and `assignment` does not
    /// know that yet.
    passed: Option<i64>,
    /// The offset that was last stored with librdkafka.
    stored: Option<i64>,
    /// The last watermark that was seen.
    reached: Option<i64>,
    /// Rewinds since the watermark moved.
    rewinds: u32,
    /// Offsets reached so far belong to a topic that is gone.
    outdated: bool,
}

/// Whether records are taken. All but `Open` are paused in librdkafka.
pub(super) enum PartitionFlow {
    Open,
    /// Waits until there is room.
    Blocked(Blocked),
    /// Waits until nothing is in flight and `not_before` has passed; then reads again from `to`, or
    /// from the first record that has no outcome.
    Rewinding {
        not_before: Instant,
        to: Option<Offset>,
    },
    /// The process is stopping.
    Closed,
}

pub(super) struct Blocked {
    /// The records whose next events found no room, in order; none when there was no room for a
    /// record itself.
    pub(super) pending: VecDeque<PendingRecord>,
    /// The lane that had no room.
    pub(super) lane: Option<usize>,
    /// The next record to read.
    pub(super) resume_at: i64,
}

impl Blocked {
    /// There is no room for the record at `offset`.
    pub(super) fn before(offset: i64) -> Self {
        Self { pending: VecDeque::new(), lane: None, resume_at: offset }
    }

    /// An event of `pending` found no room in `lane`.
    pub(super) fn at(pending: PendingRecord, lane: usize, resume_at: i64) -> Self {
        Self { pending: VecDeque::from([pending]), lane: Some(lane), resume_at }
    }
}

impl Partition {
    /// `since`: the generation that begins now. `lag` is how long commits are held back.
    pub(super) fn new(
        topic: &str,
        number: i32,
        assignment: Arc<Assignment>,
        since: u64,
        lag: Duration,
    ) -> Self {
        let held = HeldOffsets::new(lag);
        Self {
            topic: topic.into(),
            number,
            assignment,
            since,
            flow: PartitionFlow::Open,
            held,
            last: None,
            passed: None,
            stored: None,
            reached: None,
            rewinds: 0,
            outdated: false,
        }
    }

    /// Notes a record of `events` events; returns its position.
    pub(super) fn deliver(&mut self, offset: i64, events: u32) -> u64 {
        self.read(offset);
        self.assignment.deliver(self.passed.take(), offset, events)
    }

    /// Notes a record of one event; returns the ack of that.
    pub(super) fn deliver_one(&mut self, offset: i64, received: Instant) -> Ack {
        self.read(offset);
        self.assignment.deliver_one(self.passed.take(), offset, received)
    }

    /// Notes a record of which nothing is kept.
    pub(super) fn pass(&mut self, offset: i64) {
        self.read(offset);
        self.passed = Some(offset);
    }

    /// The record to read next.
    ///
    /// # Panics
    /// No record was taken.
    pub(super) fn next(&self) -> i64 {
        self.last.expect("a record was taken") + 1
    }

    fn read(&mut self, offset: i64) {
        if !self.held.has_read() {
            tracing::debug!(topic = %self.topic, partition = self.number, offset, "the first \
                record since the assignment");
        }
        self.held.read(offset);
        self.last = Some(offset);
    }

    /// Tells the epoch of records that were passed.
    fn note_passed(&mut self) {
        if let Some(offset) = self.passed.take() {
            self.assignment.pass(offset);
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.flow, PartitionFlow::Open)
    }

    /// Whether there is nothing to read, nor anything in flight: where a transaction ends stands a
    /// marker that is never delivered, and librdkafka counts it as one record to come.
    pub(super) fn is_drained(&self, numbers: &statistics::Partition) -> bool {
        self.assignment.is_idle()
            && numbers.fetchq_cnt == 0
            && numbers.next_offset >= numbers.ls_offset
    }

    /// Bytes held by records that found no room.
    pub(super) fn pending_bytes(&self) -> usize {
        let PartitionFlow::Blocked(Blocked { pending, .. }) = &self.flow else { return 0 };
        let mut last = None;
        // Records in a row may be in one message.
        let messages = pending
            .iter()
            .map(|one| &one.message)
            .filter(|message| last.replace(Arc::as_ptr(message)) != Some(Arc::as_ptr(message)));
        messages.map(|message| message.held()).sum()
    }

    /// The offset that may be committed; with `release`, also one that was held back for long
    /// enough.
    pub(super) fn committable(&mut self, release: bool) -> Option<i64> {
        self.note_passed();
        if self.outdated {
            return None;
        }
        let now = Instant::now();
        if let Some(watermark) = self.assignment.watermark() {
            self.held.note(watermark, now);
            if self.reached.replace(watermark) != Some(watermark) {
                self.rewinds = 0;
            }
        }
        if release {
            self.held.release(now);
        }
        self.held.due()
    }

    /// [`Partition::committable`], if it moved since the last call.
    pub(super) fn advanced(&mut self, release: bool) -> Option<i64> {
        let offset = self.committable(release).filter(|&offset| self.stored != Some(offset))?;
        self.stored = Some(offset);
        Some(offset)
    }

    /// Redis may have lost writes that were confirmed and whose offsets are not committed. Returns
    /// the offset from which to read again, and how far reading had come.
    pub(super) fn lost(&mut self) -> Option<(i64, i64)> {
        self.note_passed();
        let back_to = self.held.void()?;
        let (unsettled, watermark) = (self.assignment.unsettled(), self.assignment.watermark());
        if unsettled.is_none() && watermark == Some(back_to) {
            self.held.begin();
            return None;
        }
        Some((back_to, unsettled.or(watermark).unwrap_or(back_to)))
    }

    /// Gives up all that is in flight: a record failed. The caller pauses it.
    pub(super) fn rewind(&mut self) {
        self.note_passed();
        self.assignment.close();
        let pause = REWIND_MIN.saturating_mul(1 << self.rewinds.min(10)).min(REWIND_MAX);
        self.rewinds += 1;
        self.flow = PartitionFlow::Rewinding { not_before: Instant::now() + pause, to: None };
    }

    /// Gives up all that is in flight, to read again from `offset` on. The caller pauses it.
    pub(super) fn replay(&mut self, offset: i64) {
        self.note_passed();
        self.assignment.close();
        self.flow = PartitionFlow::Rewinding {
            not_before: Instant::now(),
            to: Some(Offset::Offset(offset)),
        };
    }

    /// Gives up all that is in flight, to read the partition of a new topic from its beginning;
    /// nothing is committable before [`Partition::begin`]. Returns how far reading of the old one
    /// had come. The caller pauses it. `lag` is for how long commits are held back.
    pub(super) fn restart(&mut self, lag: Duration) -> Option<i64> {
        let reached = self.committable(false);
        self.assignment.close();
        (self.held, self.stored, self.reached, self.rewinds) =
            (HeldOffsets::new(lag), None, None, 0);
        self.outdated = true;
        self.flow =
            PartitionFlow::Rewinding { not_before: Instant::now(), to: Some(Offset::Beginning) };
        reached
    }

    /// Continues under a new epoch, once everything in flight under the last one is settled.
    pub(super) fn begin(&mut self, assignment: Arc<Assignment>) {
        self.assignment = assignment;
        self.outdated = false;
        self.held.begin();
    }
}

/// All partitions that are assigned to this member.
#[derive(Default)]
pub(super) struct Partitions(HashMap<Arc<str>, Vec<Option<Partition>>>);

impl Partitions {
    pub(super) fn get_mut(&mut self, topic: &str, number: i32) -> Option<&mut Partition> {
        self.0.get_mut(topic)?.get_mut(usize::try_from(number).ok()?)?.as_mut()
    }

    pub(super) fn insert(&mut self, partition: Partition) {
        let numbers = self.0.entry(Arc::clone(&partition.topic)).or_default();
        let at = usize::try_from(partition.number).expect("partitions are numbered from 0");
        if numbers.len() <= at {
            numbers.resize_with(at + 1, || None);
        }
        numbers[at] = Some(partition);
    }

    pub(super) fn remove(&mut self, topic: &str, number: i32) -> Option<Partition> {
        self.0.get_mut(topic)?.get_mut(usize::try_from(number).ok()?)?.take()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Partition> {
        self.0.values_mut().flatten().flatten()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Partition> {
        self.0.values().flatten().flatten()
    }

    pub(super) fn clear(&mut self) -> impl Iterator<Item = Partition> + use<> {
        std::mem::take(&mut self.0).into_values().flatten().flatten()
    }
}
