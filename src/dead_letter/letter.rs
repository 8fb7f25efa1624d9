//! An event that can never be written, and what is known about it.

use std::sync::Arc;

use bytes::Bytes;

use crate::outcome::{DeadReason, Source};

/// Where a Kafka message came from, and what came with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaRecord {
    /// The topic of the message.
    pub topic: Arc<str>,
    /// The number of its partition.
    pub partition: i32,
    /// Its offset in the partition.
    pub offset: i64,
    /// Milliseconds since 1970, set by the producer or the broker.
    pub timestamp: Option<i64>,
    /// The message's key.
    pub key: Option<Bytes>,
    /// The headers in their order; a name may occur more than once.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// One dead letter, made when its event is given up.
#[derive(Debug, Clone)]
pub struct Letter {
    /// When the event was given up.
    pub(super) at: jiff::Timestamp,
    pub(super) reason: DeadReason,
    pub(super) source: Source,
    pub(super) key: Option<Vec<u8>>,
    pub(super) event: Vec<u8>,
    pub(super) is_tombstone: bool,
    pub(super) record: Option<KafkaRecord>,
    pub(super) prefix: Option<String>,
    pub(super) prefix_path: Option<String>,
    pub(super) path_type: Option<String>,
    pub(super) time: Option<i64>,
}

impl Letter {
    /// `key` is the Redis key, if there was one; `event` is the text as its source sent it;
    /// `record` is the Kafka message that held the event.
    pub fn new(
        reason: DeadReason,
        source: Source,
        key: Option<&[u8]>,
        event: &[u8],
        record: Option<&KafkaRecord>,
    ) -> Self {
        Self {
            at: jiff::Timestamp::now(),
            reason,
            source,
            key: key.map(<[u8]>::to_vec),
            event: event.to_vec(),
            is_tombstone: false,
            record: record.cloned(),
            prefix: None,
            prefix_path: None,
            path_type: None,
            time: None,
        }
    }

    /// What the event's text does not say, and `replay` needs: the prefix of its Redis key, and the
    /// type that an HTTP path imposed.
    pub fn with_origin(self, prefix: &str, path_type: Option<&str>) -> Self {
        Self { prefix: Some(prefix.to_owned()), path_type: path_type.map(str::to_owned), ..self }
    }

    /// Where in the event its prefix was looked for, and is no part of the profile: names from the
    /// event down.
    pub fn with_prefix_path(self, path: Option<&[String]>) -> Self {
        Self { prefix_path: path.map(|names| names.join(".")), ..self }
    }

    /// The event has no text, because it is a Kafka record without a value: what stands in its
    /// place is the id of the user to be deleted.
    pub fn of_tombstone(self, is_tombstone: bool) -> Self {
        Self { is_tombstone, ..self }
    }

    /// What the guard took for the event's time, in milliseconds since the epoch: `replay` must not
    /// take it for a newer one. `None`: there was no guard.
    pub fn with_time(self, time: Option<i64>) -> Self {
        Self { time, ..self }
    }
}
