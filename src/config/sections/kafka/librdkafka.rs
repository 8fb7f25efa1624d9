//! `[kafka.librdkafka]`: properties that are passed through, and those that are not.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::config::engine::quotable::is_plain_name;
use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::Secret;

/// Properties of librdkafka; any may be a secret.
pub type Librdkafka = BTreeMap<String, SecretString>;

/// Other properties of librdkafka, by the names in its own documentation, such as
/// `"client.rack" = "a"`. Those that would break a promise of this program are refused, and those
/// that have a key of their own. `queued.max.messages.kbytes` is 16384 unless it is set: memory of
/// the source is that much and `delivery.max_in_flight` together.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Properties(BTreeMap<String, Secret>);

/// Properties that would break a promise, and which.
const BREAKING: &[(&str, &str)] = &[
    ("enable.auto.commit", COMMITS),
    ("auto.commit.enable", COMMITS),
    ("enable.auto.offset.store", COMMITS),
    ("offset.store.method", COMMITS),
    ("offset.store.path", COMMITS),
    ("acks", LETTERS),
    ("request.required.acks", LETTERS),
    ("enable.idempotence", LETTERS),
    ("delivery.report.only.error", LETTERS),
    ("message.timeout.ms", LETTERS),
    ("delivery.timeout.ms", LETTERS),
    ("group.protocol", HANDOVER),
    ("partition.assignment.strategy", HANDOVER),
    (
        "heartbeat.interval.ms",
        "a worker's lease is derived from it; it follows kafka.session_timeout",
    ),
    ("statistics.interval.ms", "lag and readiness are read from the statistics"),
];
const NAMES: &str =
    "those are made of small letters and dots (the name is not shown: it may be a secret)";
const COMMITS: &str = "offsets are committed only once Redis has confirmed their events";
const LETTERS: &str = "a record is done only once its dead letter is on all replicas";
const HANDOVER: &str = "partitions are handed over one by one, each settled first";

/// Properties that a key of ours sets.
const OURS: &[(&str, &str)] = &[
    ("bootstrap.servers", "bootstrap_servers"),
    ("metadata.broker.list", "bootstrap_servers"),
    ("group.id", "group_id"),
    ("group.instance.id", "group_instance_id"),
    ("auto.offset.reset", "auto_offset_reset"),
    ("session.timeout.ms", "session_timeout"),
    ("auto.commit.interval.ms", "commit_interval"),
    ("security.protocol", "tls and kafka.sasl"),
    ("sasl.mechanism", "sasl.mechanism"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("sasl.username", "sasl.username"),
    ("sasl.password", "sasl.password"),
    ("sasl.oauthbearer.method", "sasl.token_url"),
    ("sasl.oauthbearer.token.endpoint.url", "sasl.token_url"),
    ("sasl.oauthbearer.client.id", "sasl.client_id"),
    ("sasl.oauthbearer.client.secret", "sasl.client_secret"),
    ("sasl.oauthbearer.scope", "sasl.scope"),
    ("ssl.ca.location", "tls.ca_file"),
    ("ssl.ca.pem", "tls.ca_pem"),
    ("ssl.certificate.location", "tls.cert_file"),
    ("ssl.certificate.pem", "tls.cert_file"),
    ("ssl.key.location", "tls.key_file"),
    ("ssl.key.pem", "tls.key_file"),
    ("enable.ssl.certificate.verification", "tls.skip_verify"),
    ("ssl.endpoint.identification.algorithm", "tls.skip_verify"),
];

impl Properties {
    pub(super) fn resolve(&self, report: &mut ConfigReport) -> Librdkafka {
        for property in self.0.keys() {
            if !is_plain_name(property) {
                let length = property.chars().count();
                report.error(
                    "kafka.librdkafka",
                    format_args!(
                        "has a name of {length} characters that cannot be the name of a \
                         property: {NAMES}"
                    ),
                );
                continue;
            }
            let find = |list: &[(&'static str, &'static str)]| {
                list.iter().find(|(name, _)| name == property).map(|one| one.1)
            };
            let key = format!("kafka.librdkafka.{property}");
            if let Some(why) = find(BREAKING) {
                report.error(&key, format_args!("cannot be changed: {why}"));
            } else if let Some(ours) = find(OURS) {
                report.error(&key, format_args!("has a key of its own: kafka.{ours}"));
            }
        }
        self.0.iter().map(|(property, value)| (property.clone(), value.0.clone())).collect()
    }
}
