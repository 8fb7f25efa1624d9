//! `[kafka]`: the Kafka source, and the client that its dead letters share.

mod librdkafka;
mod sasl;
mod tls;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::librdkafka::Librdkafka;
use self::librdkafka::Properties;
use self::sasl::RawSasl;
pub use self::sasl::{Sasl, token_url_error};
use self::tls::RawKafkaTls;
use crate::config::engine::quotable::quotable;
use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::Span;
use crate::config::sections::tls::Tls;
use crate::profile::Tombstones;

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
    /// How long commits are held back; zero: not at all.
    pub failover_replay: Duration,
    /// Static membership when set.
    pub group_instance_id: Option<String>,
    /// What a record with a null value does.
    pub tombstones: Tombstones,
    /// The topic of the dead letters, if it is on the same brokers: it is never read.
    pub dead_letters: Option<String>,
}

/// How to connect to the brokers, and with which identity.
#[derive(Debug, Clone)]
pub struct KafkaClient {
    /// `host:port,host:port`.
    pub bootstrap_servers: String,
    pub sasl: Option<Sasl>,
    pub tls: Option<Tls>,
    /// Passed through; holds none of the properties that would break the promises.
    pub librdkafka: Librdkafka,
}

impl KafkaClient {
    /// Without a login and without TLS.
    pub(crate) fn plain(bootstrap_servers: String) -> Self {
        Self { bootstrap_servers, sasl: None, tls: None, librdkafka: Librdkafka::new() }
    }
}

/// Where a group without committed offsets begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OffsetReset {
    /// At the oldest record: nothing is left out.
    #[default]
    Earliest,
    /// At the next record.
    Latest,
    /// Stop rather than guess.
    Error,
}

/// The Kafka source. Without this section it is off.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawKafka {
    /// The brokers: `host:port`, several separated by commas.
    bootstrap_servers: String,
    /// Topics to read; `"^regex"` matches names of topics, new ones too.
    topics: Vec<String>,
    /// Workers of one group share the partitions.
    group_id: String,
    /// Where a group without committed offsets begins.
    auto_offset_reset: OffsetReset,
    /// A worker that is silent for so long (killed, cut off) loses its partitions to the others.
    /// Not below 6s unless the broker's group.min.session.timeout.ms allows it.
    session_timeout: Span,
    /// How often the offsets of events that are in Redis are committed. Later ones are written
    /// again after a crash.
    commit_interval: Span,
    /// How long commits are held back, so that events which Redis confirmed and then lost (a
    /// failover, a restart without its data) are read and written again; 15s is a good value. As
    /// much is also written again after every restart of the worker.
    pub(crate) failover_replay: Span,
    /// Static membership: a name that this worker keeps across restarts, and no other worker has.
    group_instance_id: Option<String>,
    /// What a record with a null value does.
    tombstones: Tombstones,
    pub(crate) sasl: RawSasl,
    pub(crate) tls: RawKafkaTls,
    librdkafka: Properties,
}

impl Default for RawKafka {
    fn default() -> Self {
        Self {
            bootstrap_servers: "127.0.0.1:9092".into(),
            topics: vec!["events".into()],
            group_id: "traitsink".into(),
            auto_offset_reset: OffsetReset::default(),
            session_timeout: Span::secs(45),
            commit_interval: Span::secs(5),
            failover_replay: Span::secs(0),
            group_instance_id: None,
            tombstones: Tombstones::default(),
            sasl: RawSasl::default(),
            tls: RawKafkaTls::default(),
            librdkafka: Properties::default(),
        }
    }
}

/// Below this, heartbeats and the lease of a session have no room.
const SHORTEST_SESSION: Duration = Duration::from_secs(1);

impl RawKafka {
    pub(crate) fn resolve(&self, report: &mut ConfigReport) -> Kafka {
        report.not_zero("kafka.commit_interval", self.commit_interval);
        if self.session_timeout.0 < SHORTEST_SESSION {
            report.error("kafka.session_timeout", "must be at least 1s");
        }
        if self.topics.is_empty() {
            report.error("kafka.topics", "name at least one topic");
        }
        for (n, topic) in self.topics.iter().enumerate() {
            if let Some(error) = topic_error(topic) {
                report.error(&format!("kafka.topics[{n}]"), error);
            }
        }
        servers(&self.bootstrap_servers, "kafka.bootstrap_servers", report);
        Kafka {
            client: KafkaClient {
                bootstrap_servers: self.bootstrap_servers.clone(),
                sasl: self.sasl.resolve(report),
                tls: self.tls.resolve(report),
                librdkafka: self.librdkafka.resolve(report),
            },
            topics: self.topics.clone(),
            group_id: self.group_id.clone(),
            auto_offset_reset: self.auto_offset_reset,
            session_timeout: self.session_timeout.0,
            commit_interval: self.commit_interval.0,
            failover_replay: self.failover_replay.0,
            group_instance_id: self.group_instance_id.clone(),
            tombstones: self.tombstones,
            dead_letters: None,
        }
    }
}

/// Why `topic` cannot be a topic, if so; patterns are checked by librdkafka.
pub(crate) fn topic_error(topic: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if topic.is_empty() {
        return Some("a topic needs a name".to_owned());
    }
    if topic.starts_with('^') || topic.chars().all(legal) {
        return None;
    }
    let hint = if topic.contains(['*', '[', '(', '|', '$']) {
        "; a pattern begins with \"^\""
    } else {
        ""
    };
    let topic = quotable(topic);
    Some(format!(
        "{topic:?} is not the name of a topic: those are made of letters, digits, \".\", \"_\" \
         and \"-\"{hint}"
    ))
}

/// Reports entries of `list` that are not `host:port`.
pub(crate) fn servers(list: &str, key: &str, report: &mut ConfigReport) {
    for server in list.split(',').map(str::trim) {
        let (host, port) = server.rsplit_once(':').unwrap_or((server, ""));
        let (quoted, named) = (quotable(server), quotable(host));
        if server.contains('@') {
            report.error(key, "brokers are host:port, without a login: that is kafka.sasl");
        } else if host.is_empty() || host.contains("//") {
            report
                .error(key, format_args!("{quoted:?} is not host:port, such as \"broker-1:9092\""));
        } else if port.parse::<u16>().is_err() {
            report.error(key, format_args!("{quoted:?} needs a port, such as \"{named}:9092\""));
        }
    }
}
