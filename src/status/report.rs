//! The document of `/api/status`. Its JSON is an interface: names are added, never changed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Events by the word of their reason; reasons without events are left out.
pub type ByReason = BTreeMap<String, u64>;

/// Everything the worker tells about itself. Holds neither secrets nor user ids in the clear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The version of the program.
    pub version: String,
    /// The revision of its code, or `unknown`.
    pub revision: String,
    /// The name of the host.
    pub host: String,
    /// When the process started.
    pub started: Timestamp,
    /// When this report was made.
    pub now: Timestamp,
    /// Whether `/ready` answers 200.
    pub ready: bool,
    /// What `/ready` waits for.
    pub waiting_for: Vec<WaitingPart>,
    /// One entry for each source that is configured or has had an event.
    pub sources: Vec<SourceReport>,
    /// The last ten minutes.
    pub history: HistoryReport,
    /// Memory of the process, and of events in flight.
    pub memory: ByteUse,
    /// The lanes, by number.
    pub lanes: Vec<LaneReport>,
    /// The servers that take the writes.
    pub redis: RedisReport,
    /// The Kafka consumer; `None` when it is not configured.
    pub kafka: Option<KafkaReport>,
    /// Where events go that can never be written.
    pub dead_letters: DeadLetterUse,
    /// The last rejected and dead-lettered events, the newest first; at most 50.
    pub rejections: Vec<RejectionReport>,
    /// When certificates end; empty without TLS.
    pub certificates: Vec<CertificateEnd>,
    /// Whether profiles can be looked up (`admin.profile_lookup`).
    #[serde(default)]
    pub profile_lookup: bool,
    /// The effective configuration as TOML, its secrets replaced by `***`.
    pub config: String,
}

/// A part that is not usable now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingPart {
    /// `redis`, `kafka`, `process` ..
    pub part: String,
    /// Why, in plain words.
    pub reason: String,
}

/// The events of one source since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// `http`, `kafka` or `file`.
    pub source: String,
    /// Events taken.
    pub received: u64,
    /// Events that Redis confirmed.
    pub written: u64,
    /// Events that changed nothing, because Redis has newer ones.
    #[serde(default)]
    pub stale: u64,
    /// Events that ask for nothing to be written.
    pub skipped: ByReason,
    /// Events that cannot be read or exceed a limit, over HTTP.
    pub rejected: ByReason,
    /// Events in the dead letters.
    pub dead_lettered: ByReason,
    /// Events given back to their source unwritten.
    pub failed: u64,
    /// Events taken and not yet settled.
    pub in_flight: u64,
}

/// Rates and freshness, all sources together. All lists have one length, the oldest value first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryReport {
    /// Seconds between two values.
    pub step_seconds: u64,
    /// Events received in one second.
    pub received_per_second: Vec<f64>,
    /// Events written in one second.
    pub written_per_second: Vec<f64>,
    /// The median of the freshness in seconds; `None` where nothing with a time was written.
    pub freshness_p50_seconds: Vec<Option<f64>>,
    /// The 99th percentile of the freshness in seconds.
    pub freshness_p99_seconds: Vec<Option<f64>>,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteUse {
    /// What events in flight hold.
    pub in_flight_bytes: u64,
    /// `delivery.max_in_flight`.
    pub max_in_flight_bytes: u64,
    /// Resident memory of the process.
    pub resident_bytes: u64,
}

/// One lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneReport {
    /// Its number, from 0.
    pub lane: usize,
    /// `starting`, `up` or `trouble`.
    pub state: String,
    /// With `trouble`: why, in plain words.
    pub reason: Option<String>,
    /// Events that wait in its queue; those that are being written have left it.
    pub queued_events: u64,
    /// Bytes that its events hold, those that are being written included.
    pub queued_bytes: u64,
}

/// Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisReport {
    /// `redis.mode`.
    pub mode: String,
    /// The nodes that are known now, by name.
    pub nodes: Vec<NodeReport>,
}

/// One node of Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// `host:port`, or the path of a socket.
    pub node: String,
    /// `primary`, `replica` or `sentinel`.
    pub role: String,
    /// Whether it answers.
    pub up: bool,
    /// Connections made again after one was lost.
    pub reconnects: u64,
    /// The last refusal or lost connection, if there was one.
    pub last_error: Option<LastError>,
}

/// An error of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// When.
    pub at: Timestamp,
    /// The class of `traitsink_redis_errors_total`.
    pub class: String,
    /// The code of `traitsink_redis_errors_total`.
    pub code: String,
    /// What happened, in plain words.
    #[serde(default)]
    pub message: String,
}

/// The Kafka consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaReport {
    /// Partitions that this worker reads now.
    pub assigned: u64,
    /// Of these, the ones that are paused.
    pub paused: u64,
    /// The assigned partitions, by topic and number, once something of them was read.
    pub partitions: Vec<PartitionReport>,
}

/// One assigned partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionReport {
    /// The topic.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// Records between what is committed and the end.
    pub lag: i64,
}

/// Where events go that can never be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterUse {
    /// `file`, `kafka`, `log` or `discard`.
    pub to: String,
    /// The path of the file, or the name of the topic.
    pub place: Option<String>,
    /// Bytes in the file.
    pub bytes: Option<u64>,
    /// `dead_letter.max_size`, with a file.
    pub max_bytes: Option<u64>,
}

/// One event that was rejected or dead-lettered. Holds no part of the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionReport {
    /// When.
    pub at: Timestamp,
    /// `http`, `kafka` or `file`.
    pub source: String,
    /// `rejected` or `dead_lettered`.
    pub outcome: String,
    /// The word of the reason.
    pub reason: String,
    /// The hash of the Redis key, as in the log, where there was one.
    pub user: Option<String>,
}

/// When the first certificate of a client ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateEnd {
    /// `redis`, `kafka` ..
    pub client: String,
    /// The end of the first of its own certificate, its CA file, and the server's chain.
    pub at: Timestamp,
}
