//! Deciding on records where librdkafka holds them: a pure function of a record, which other
//! threads may run while the polling thread takes what was decided before.

use std::ops::Range;
use std::thread::available_parallelism;

use rdkafka::Message as _;
use rdkafka::message::BorrowedMessage;

use crate::event::{Decision, Elements, events_of};
use crate::pipeline::Source;

use super::admission::RecordAdmission;
use super::record;

/// Threads that decide, at most: the polling thread cannot feed more.
const THREADS: usize = 4;

/// What is in a record.
pub(super) enum RecordContent {
    /// No event.
    Empty,
    /// One event, and where it stands in the value.
    One(Range<usize>, Decision),
    /// Events that are decided on one by one, when the record was copied.
    Whole(Elements),
}

/// A record that was polled.
pub(super) struct PolledRecord<'a> {
    pub(super) message: BorrowedMessage<'a>,
    /// The generation of reading in which it was polled.
    pub(super) generation: u64,
    /// `None`: not known yet.
    pub(super) content: Option<RecordContent>,
}

/// Threads that decide: one for each core but one. On one core there are none, and the polling
/// thread decides itself.
pub(super) fn deciding_threads() -> usize {
    available_parallelism().map_or(0, |cores| usize::from(cores) - 1).min(THREADS)
}

/// Decides on each of `records`.
pub(super) fn decide(admission: &RecordAdmission, records: &mut [PolledRecord<'_>]) {
    for record in records {
        record.content = Some(content(admission, &record.message));
    }
}

fn content(admission: &RecordAdmission, message: &BorrowedMessage<'_>) -> RecordContent {
    if admission.tombstones_delete && record::is_tombstone(message) {
        return RecordContent::Whole(Elements::one(0..message.key_len()));
    }
    let (value, timestamp) =
        (message.payload().unwrap_or_default(), message.timestamp().to_millis());
    let (intake, source) = (&admission.intake, Some(Source::Kafka));
    if let Some(decision) = intake.decide_bare(value, admission.origin(timestamp, None), source) {
        return RecordContent::One(0..value.len(), decision);
    }
    let mut events = events_of(value);
    if events.len() > 1 {
        return RecordContent::Whole(events);
    }
    let Some(event) = events.next(value) else { return RecordContent::Empty };
    let origin = admission.origin(timestamp, events.sent_at(value));
    let decision = intake.decide(&value[event.clone()], origin, source);
    RecordContent::One(event, decision)
}
