//! A job: an update on its way through its lane.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::dead_letter::{KafkaRecord, Letter};
use crate::event::{Origin, Update};
use crate::outcome::DeadReason;
use crate::profile::Prefix;

use super::ack::Ack;
use super::budget::Reservation;
use super::further_keys::FurtherKeys;
use super::message::Message;

/// A message that holds more bytes is large: its events leave room to others.
const LARGE: usize = 256 * 1024;

/// An update on its way to Redis, with all that its outcome needs.
pub struct Job {
    pub(super) update: Update,
    pub(super) ack: Ack,
    message: Arc<Message>,
    text: Range<usize>,
    /// The position of the event's record in a message of many.
    record: u32,
    /// Room for the update; `None` while no lane takes it, and where the message's covers it.
    held: Option<Reservation>,
    /// Where the event said its prefix; `None`: it could not.
    prefix_path: Option<Arc<[String]>>,
    /// The type that a path imposed.
    path_type: Option<&'static str>,
    /// Other keys that are deleted with this one, and that no lane has yet.
    pub(super) others: Option<Box<FurtherKeys>>,
    /// The write was sent and its reply is lost: perhaps it was applied.
    sent: bool,
}

impl Job {
    /// A job that holds no room yet; the event's text is at `text` of `message`. Sources make jobs
    /// with [`super::Intake::job`].
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
            record: 0,
            held: None,
            prefix_path: match origin.prefix {
                Prefix::Fixed(_) => None,
                Prefix::Dynamic { path, .. } => Some(Arc::clone(path)),
            },
            path_type: origin.path_type,
            others: None,
            sent: false,
        }
    }

    /// The deletion of another key by the event of `job`. It becomes no dead letter.
    pub(super) fn of_part(update: Update, ack: Ack, job: &Self) -> Self {
        Self::new(update, ack, &job.message, 0..0, Origin::default())
    }

    /// The same job, of the record at this position of its message.
    pub(super) fn of_record(self, position: u32) -> Self {
        Self { record: position, ..self }
    }

    /// Gives the job its room, or takes that away.
    pub(super) fn hold(&mut self, held: Option<Reservation>) {
        self.held = held;
    }

    /// Bytes that the job holds besides its message: the update, and what carries it through its
    /// lane (the place in the queue, which may have grown to twice what is needed, and in the
    /// batch).
    pub(super) fn cost(&self) -> usize {
        Self::cost_of(&self.update)
    }

    /// [`Job::cost`] of the job that an update becomes.
    pub(super) fn cost_of(update: &Update) -> usize {
        update.cost() + 3 * size_of::<Self>()
    }

    /// Whether the job belongs to a large message. Its events leave room to others, who would find
    /// all room taken again and again while a large batch takes each byte that is given back.
    pub(super) fn leaves_room(&self) -> bool {
        self.message.held() > LARGE
    }

    /// The message of the event.
    pub fn message(&self) -> &Arc<Message> {
        &self.message
    }

    /// The Kafka record of the event; `None`: it came from elsewhere.
    pub fn record(&self) -> Option<Cow<'_, KafkaRecord>> {
        self.message.record_at(self.record)
    }

    /// The event's text as its source sent it.
    pub(super) fn text(&self) -> &[u8] {
        &self.message.bytes()[self.text.clone()]
    }

    /// The event as a dead letter: Redis refuses it because of `reason`. `None`: an operator's
    /// command, which is no event.
    pub(super) fn letter(&self, reason: DeadReason) -> Option<Letter> {
        let source = self.ack.source()?;
        let prefix = String::from_utf8_lossy(self.update.prefix());
        let (key, record) = (Some(self.update.key()), self.record());
        let letter = Letter::new(reason, source, key, self.text(), record.as_deref())
            .with_origin(&prefix, self.path_type)
            .with_prefix_path(self.prefix_path())
            .of_tombstone(self.is_tombstone())
            .with_time(self.update.at());
        Some(letter)
    }

    /// Where the event said its prefix: names from the event down; `None`: it could not.
    pub fn prefix_path(&self) -> Option<&[String]> {
        self.prefix_path.as_deref()
    }

    /// Whether the event is a Kafka record without a value, which deletes its user.
    pub fn is_tombstone(&self) -> bool {
        self.message.is_tombstone()
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

    /// Whether a source no longer owns the event of one of `jobs`.
    pub(super) fn any_revoked(jobs: &[Self]) -> bool {
        Self::first_of_each_run(jobs).any(Self::revoked)
    }

    /// Whether one of `jobs`, none of which was sent, is cancelled.
    pub(super) fn any_cancelled(jobs: &[Self]) -> bool {
        Self::first_of_each_run(jobs).any(|job| job.revoked() || job.ack.cancelled())
    }

    /// Jobs in a row often have the same receipts, whose answer is the same for all of them.
    fn first_of_each_run(jobs: &[Self]) -> impl Iterator<Item = &Self> {
        jobs.chunk_by(|job, next| job.ack.shares_receipts(&next.ack)).map(|run| &run[0])
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
