//! A message from a source, and the job that each of its updates is.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::dead_letter::{KafkaRecord, Letter};
use crate::event::{Origin, Update};
use crate::outcome::DeadReason;
use crate::trace::OriginSpan;

use super::ack::Ack;
use super::budget::Reservation;

/// A message's bytes, and the room they take, for as long as any of its events is in flight.
pub struct Message {
    bytes: Bytes,
    record: Option<KafkaRecord>,
    held: Reservation,
    origin: OriginSpan,
}

impl Message {
    /// `held` covers at least `bytes.len()`.
    pub fn new(bytes: Bytes, held: Reservation) -> Arc<Self> {
        Arc::new(Self { bytes, record: None, held, origin: OriginSpan::current() })
    }

    /// The value of a Kafka message; `held` also covers what comes with it.
    pub fn of_record(value: Bytes, record: KafkaRecord, held: Reservation) -> Arc<Self> {
        Arc::new(Self { bytes: value, record: Some(record), held, origin: OriginSpan::current() })
    }

    /// Bytes of the room that the message takes.
    pub fn held(&self) -> usize {
        self.held.bytes()
    }

    /// Where the message came from, if that was Kafka.
    pub fn record(&self) -> Option<&KafkaRecord> {
        self.record.as_ref()
    }

    /// The span during which the message was received.
    pub(super) fn origin(&self) -> &OriginSpan {
        &self.origin
    }

    /// The text in which the events of the message stand.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// A message that holds more bytes is large: its events leave room to others.
const LARGE: usize = 256 * 1024;

/// An update on its way to Redis, with all that its outcome needs.
pub struct Job {
    pub(super) update: Update,
    pub(super) ack: Ack,
    message: Arc<Message>,
    text: Range<usize>,
    /// Room for the update; `None` while no lane takes it.
    held: Option<Reservation>,
    /// Bytes of the prefix with which the key begins.
    prefix: u32,
    /// A path imposed the type.
    path_type: bool,
    /// The write was sent and its reply is lost: perhaps it was applied.
    sent: bool,
}

impl Job {
    /// A job that holds no room yet; the event's text is at `text` of `message`.
    pub(super) fn new(
        update: Update,
        ack: Ack,
        message: &Arc<Message>,
        text: Range<usize>,
        origin: Origin<'_>,
    ) -> Self {
        Self {
            update,
            ack,
            message: Arc::clone(message),
            text,
            held: None,
            prefix: origin.prefix.len() as u32,
            path_type: origin.path_type.is_some(),
            sent: false,
        }
    }

    /// Gives the job its room, or takes that away.
    pub(super) fn hold(&mut self, held: Option<Reservation>) {
        self.held = held;
    }

    /// Bytes that the job holds besides its message: the update, and what carries it through its
    /// lane (the place in the queue, which may have grown to twice what is needed, and in the
    /// batch).
    pub(super) fn cost(&self) -> usize {
        self.update.cost() + 3 * size_of::<Self>()
    }

    /// Whether the job belongs to a large message. Its events leave room to others, who would find
    /// all room taken again and again while a large batch takes each byte that is given back.
    pub(super) fn leaves_room(&self) -> bool {
        self.message.held() > LARGE
    }

    /// The message of the event.
    pub(super) fn message(&self) -> &Message {
        &self.message
    }

    /// The event's text as its source sent it.
    pub(super) fn text(&self) -> &[u8] {
        &self.message.bytes()[self.text.clone()]
    }

    /// The event as a dead letter: Redis refuses it because of `reason`.
    pub(super) fn letter(&self, reason: DeadReason) -> Letter {
        let key = self.update.key();
        let prefix = String::from_utf8_lossy(&key[..self.prefix as usize]);
        let record = self.message.record();
        Letter::new(reason, self.ack.source(), Some(key), self.text(), record)
            .with_origin(&prefix, self.path_type.then_some("identify"))
            .with_time(self.update.at())
    }

    /// Where in its message the event's text stands.
    pub fn range(&self) -> Range<usize> {
        self.text.clone()
    }

    /// From now on the source cannot take the event back: the write must be repeated until its
    /// outcome is known. A retry without it would let what was written before it in the same batch
    /// overwrite it.
    pub(super) fn mark_sent(&mut self) {
        self.sent = true;
    }

    /// Whether the event is perhaps written.
    pub(super) fn sent(&self) -> bool {
        self.sent
    }

    /// The connection on which the event was sent is fenced: no byte of the event can reach Redis
    /// any more.
    pub(super) fn mark_fenced(&mut self) {
        self.sent = false;
    }

    /// Whether the source took the event back, or no longer owns it, and nothing of it is on its
    /// way to Redis.
    pub(super) fn cancelled(&self) -> bool {
        !self.sent && (self.revoked() || self.ack.cancelled())
    }

    /// Whether the source no longer owns the event.
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
