//! A message from a source: its bytes, and the room they take.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::dead_letter::KafkaRecord;
use crate::trace::OriginSpan;

use super::budget::Reservation;

/// A message's bytes, and the room they take, for as long as any of its events is in flight.
pub struct Message {
    bytes: Bytes,
    is_tombstone: bool,
    records: MessageRecords,
    held: Reservation,
    origin: OriginSpan,
}

/// The Kafka records of a message.
enum MessageRecords {
    /// The message did not come from Kafka.
    None,
    One(KafkaRecord),
    /// Small records, whose values and keys stand one behind the other in the message's bytes.
    Bundled(BundledRecords),
}

/// Small records of a burst that are kept in one message.
#[derive(Default)]
pub(super) struct BundledRecords {
    /// The topics and partitions that occur.
    partitions: Vec<(Arc<str>, i32)>,
    records: Vec<BundledRecord>,
}

struct BundledRecord {
    /// Position in `partitions`.
    partition: u32,
    offset: i64,
    timestamp: Option<i64>,
    /// Where the key stands in the message's bytes.
    key: Option<Range<u32>>,
}

impl BundledRecords {
    /// Adds a record whose key stands at `key` of the message's bytes.
    pub(super) fn push(
        &mut self,
        (topic, number): (&Arc<str>, i32),
        offset: i64,
        timestamp: Option<i64>,
        key: Option<Range<u32>>,
    ) {
        let is_same = |(name, at): &(Arc<str>, i32)| *at == number && Arc::ptr_eq(name, topic);
        // Records of one partition mostly come in a row.
        let partition = self.partitions.iter().rposition(is_same).unwrap_or_else(|| {
            self.partitions.push((Arc::clone(topic), number));
            self.partitions.len() - 1
        }) as u32;
        self.records.push(BundledRecord { partition, offset, timestamp, key });
    }
}

impl Message {
    /// `held` covers at least `bytes.len()`.
    pub fn new(bytes: Bytes, held: Reservation) -> Arc<Self> {
        Self::build(bytes, false, MessageRecords::None, held)
    }

    /// The value of a Kafka message; `held` also covers what comes with it.
    pub fn of_record(value: Bytes, record: KafkaRecord, held: Reservation) -> Arc<Self> {
        Self::build(value, false, MessageRecords::One(record), held)
    }

    /// A Kafka record without a value, whose key is the `id` of a user to be deleted; `record`:
    /// where it stood, if that is known.
    pub fn tombstone(id: Bytes, record: Option<KafkaRecord>, held: Reservation) -> Arc<Self> {
        let records = record.map_or(MessageRecords::None, MessageRecords::One);
        Self::build(id, true, records, held)
    }

    /// Small records; `held` also covers the jobs of their events.
    pub(super) fn bundled(bytes: Bytes, records: BundledRecords, held: Reservation) -> Arc<Self> {
        Self::build(bytes, false, MessageRecords::Bundled(records), held)
    }

    fn build(
        bytes: Bytes,
        is_tombstone: bool,
        records: MessageRecords,
        held: Reservation,
    ) -> Arc<Self> {
        Arc::new(Self { bytes, is_tombstone, records, held, origin: OriginSpan::current() })
    }

    /// Bytes of the room that the message takes.
    pub fn held(&self) -> usize {
        self.held.bytes()
    }

    /// Whether that room is also for the jobs of its events.
    pub(super) fn holds_jobs(&self) -> bool {
        matches!(self.records, MessageRecords::Bundled(_))
    }

    /// Where the message came from, if that was one Kafka record.
    pub fn record(&self) -> Option<&KafkaRecord> {
        match &self.records {
            MessageRecords::One(record) => Some(record),
            MessageRecords::None | MessageRecords::Bundled(_) => None,
        }
    }

    /// The Kafka record of an event, by its position in the message; `None`: the message did not
    /// come from Kafka.
    pub(super) fn record_at(&self, position: u32) -> Option<Cow<'_, KafkaRecord>> {
        let MessageRecords::Bundled(BundledRecords { partitions, records }) = &self.records else {
            return self.record().map(Cow::Borrowed);
        };
        let BundledRecord { partition, offset, timestamp, key } = &records[position as usize];
        let (topic, partition) = &partitions[*partition as usize];
        let place = |at: &Range<u32>| self.bytes.slice(at.start as usize..at.end as usize);
        Some(Cow::Owned(KafkaRecord {
            topic: Arc::clone(topic),
            partition: *partition,
            offset: *offset,
            timestamp: *timestamp,
            key: key.as_ref().map(place),
            headers: Vec::new(),
        }))
    }

    /// Whether the message is a record without a value: its bytes are no text of events but the id
    /// of a user to be deleted.
    pub fn is_tombstone(&self) -> bool {
        self.is_tombstone
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
