//! `[kafka]`: the Kafka source, and the client that its dead letters share.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use super::Tls;

/// The Kafka source.
#[derive(Debug, Clone)]
pub struct Kafka {
    pub client: KafkaClient,
    /// At least one; `^regex` as librdkafka reads it.
    pub topics: Vec<String>,
    pub group_id: String,
    /// Where a group without committed offsets begins.
    pub auto_offset_reset: OffsetReset,
    /// A member that is silent for so long loses its partitions.
    pub session_timeout: Duration,
    pub commit_interval: Duration,
    /// Static membership when set.
    pub group_instance_id: Option<String>,
}

/// How to reach brokers, as whoever.
#[derive(Debug, Clone)]
pub struct KafkaClient {
    /// `host:port,host:port`.
    pub bootstrap_servers: String,
    pub sasl: Option<Sasl>,
    pub tls: Option<Tls>,
    /// Passed through to librdkafka; holds none of the keys that would break the promises.
    pub librdkafka: BTreeMap<String, SecretString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetReset {
    Earliest,
    Latest,
    /// Stop rather than guess.
    Error,
}

/// How to log in.
#[derive(Debug, Clone)]
pub enum Sasl {
    /// `mechanism` is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
    Password { mechanism: &'static str, username: String, password: SecretString },
    /// Client credentials against a token endpoint (RFC 6749, section 4.4).
    OAuthBearer { token_url: String, client_id: String, client_secret: SecretString, scope: Option<String> },
}

/// When to stop rather than drain a topic into the dead letters.
#[derive(Debug, Clone, Copy)]
pub struct Breaker {
    /// In a row; 0: this rule is off.
    pub consecutive: u64,
    /// Of the last `window`; 0: this rule is off.
    pub ratio: f64,
    pub window: usize,
}
