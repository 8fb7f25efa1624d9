//! What is valid: the configuration after merging, checking and resolving. What was typed lives in `raw`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::event::Rules;

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where dead letters live.
    pub data_dir: PathBuf,
    pub http: Option<Http>,
    pub redis: Redis,
    pub rules: Rules,
    pub delivery: Delivery,
    pub dead_letter: DeadLetter,
    /// Where `/metrics`, `/live` and `/ready` answer.
    pub admin: SocketAddr,
    pub log: Log,
}

#[derive(Debug, Clone)]
pub struct Http {
    pub listen: SocketAddr,
    /// Empty: anyone on loopback may write.
    pub write_keys: Vec<WriteKey>,
    /// How long a request waits for Redis before it is answered 503 and taken back.
    pub wait: Duration,
    /// Decompressed bytes.
    pub max_body: usize,
    pub max_connections: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub idle_timeout: Duration,
}

/// One accepted write key and what its events get.
#[derive(Debug, Clone)]
pub struct WriteKey {
    /// For logs; never the key itself.
    pub name: String,
    pub key: SecretString,
    /// Used instead of `redis.prefix` when present.
    pub prefix: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Redis {
    pub mode: Mode,
    pub username: Option<String>,
    pub password: Option<SecretString>,
    pub database: u32,
    /// Trimmed as JavaScript trims; empty: none.
    pub prefix: String,
    pub client_name: String,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
    /// `None`: plain text.
    pub tls: Option<Tls>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    Standalone(Address),
    /// The in-process store, listening here.
    Embedded(SocketAddr),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// System roots when `None`.
    pub ca: Option<Pem>,
    /// Client certificate chain and its key, both or neither.
    pub client: Option<(Pem, Pem)>,
    /// Verified and sent as SNI instead of the host.
    pub server_name: Option<String>,
    pub skip_verify: bool,
}

/// PEM text and where it is from.
#[derive(Debug, Clone)]
pub enum Pem {
    File(PathBuf),
    /// Inline text, and the key it came from (`redis.tls.ca_pem`).
    Inline(SecretString, &'static str),
}

#[derive(Debug, Clone)]
pub struct Delivery {
    pub lanes: usize,
    /// Bytes: bodies being read, messages, packed updates.
    pub max_in_flight: usize,
    /// Events in one pipeline.
    pub max_batch: usize,
    pub max_batch_bytes: usize,
    pub retry_min: Duration,
    pub retry_max: Duration,
    pub stop_delay: Duration,
    pub stop_grace: Duration,
}

#[derive(Debug, Clone)]
pub enum DeadLetter {
    File { path: PathBuf, max_size: u64 },
    Log,
    Discard,
}

#[derive(Debug, Clone)]
pub struct Log {
    pub format: LogFormat,
    pub level: tracing::Level,
    /// User ids in logs as they are, not hashed.
    pub plain_user_ids: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    Text,
    Json,
}
