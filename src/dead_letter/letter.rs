//! An event that can never be written, and what is known about it.

use std::sync::Arc;

use bytes::Bytes;

/// Where a Kafka message came from, and what came with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970, as the producer or the broker set them.
    pub timestamp: Option<i64>,
    pub key: Option<Bytes>,
    /// In the order in which they came; a name may occur more than once.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// One dead letter.
#[derive(Debug, Clone)]
pub struct Letter {
    /// When the event was given up.
    pub(super) at: jiff::Timestamp,
    pub(super) reason: &'static str,
    pub(super) source: &'static str,
    pub(super) key: Option<Vec<u8>>,
    pub(super) event: Vec<u8>,
    pub(super) record: Option<Record>,
}

impl Letter {
    /// `reason` and `source` are the words of the metrics; `key` is the Redis key, if there was
    /// one; `record` is the Kafka message that held the event.
    pub fn new(
        reason: &'static str,
        source: &'static str,
        key: Option<&[u8]>,
        event: &[u8],
        record: Option<&Record>,
    ) -> Self {
        Self {
            at: jiff::Timestamp::now(),
            reason,
            source,
            key: key.map(<[u8]>::to_vec),
            event: event.to_vec(),
            record: record.cloned(),
        }
    }
}
