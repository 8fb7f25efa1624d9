//! Copying a record from librdkafka's buffers into a message.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Headers as _};

use crate::dead_letter::KafkaRecord;
use crate::event::Elements;
use crate::pipeline::{Job, Message, Reservation};

/// Bytes that a record takes besides its own: its message, its place among the offsets, the queue
/// entry of its update.
const OVERHEAD: usize = 256;

/// A record's headers, copied.
pub(super) type Headers = Vec<(String, Option<Bytes>)>;

/// Whether a record has headers.
pub(super) fn has_headers(message: &BorrowedMessage<'_>) -> bool {
    message.headers().is_some_and(|headers| headers.count() > 0)
}

/// The headers of a record. Asking for them is not cheap, even when there are none.
pub(super) fn headers(message: &BorrowedMessage<'_>) -> Headers {
    message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(Bytes::copy_from_slice)))
            .collect()
    })
}

/// Bytes to reserve for a record.
pub(super) fn cost(message: &BorrowedMessage<'_>, headers: &Headers) -> usize {
    let headers: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len) + OVERHEAD)
        .sum();
    OVERHEAD + message.payload_len() + message.key_len() + headers
}

/// Whether a record has a key and no value, not even an empty one.
pub(super) fn is_tombstone(message: &BorrowedMessage<'_>) -> bool {
    message.payload().is_none() && message.key().is_some()
}

/// Copies a record: a borrowed one would keep the whole fetched buffer alive. The message's bytes
/// are the value, or the key of a record that is to delete a user.
pub(super) fn copy(
    message: &BorrowedMessage<'_>,
    deletes: bool,
    topic: &Arc<str>,
    headers: Headers,
    held: Reservation,
) -> Arc<Message> {
    let (value, key) = (message.payload().unwrap_or_default(), message.key());
    // Value and key in one piece: one allocation for both.
    let both = Bytes::from([value, key.unwrap_or_default()].concat());
    let record = KafkaRecord {
        topic: Arc::clone(topic),
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: key.map(|_| both.slice(value.len()..)),
        headers,
    };
    if deletes {
        return Message::tombstone(both, Some(record), held);
    }
    Message::of_record(both.slice(..value.len()), record, held)
}

/// A record whose events are being offered to their lanes.
pub(super) struct PendingRecord {
    pub(super) message: Arc<Message>,
    /// Its position in the offsets of its assignment.
    pub(super) position: u64,
    pub(super) received: Instant,
    /// The event that found no room.
    pub(super) job: Option<Box<Job>>,
    /// Events after it.
    pub(super) rest: Elements,
}

impl PendingRecord {
    /// The record of one event, whose lane did not take `job`.
    pub(super) fn of(job: Box<Job>) -> Self {
        let (message, received) = (Arc::clone(job.message()), Instant::now());
        Self { message, position: 0, received, job: Some(job), rest: Elements::default() }
    }
}
