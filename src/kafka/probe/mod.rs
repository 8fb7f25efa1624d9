//! What `check --connect` tells about brokers. It joins no group and writes nothing.

mod certificate;
mod group;
mod topics;
mod watch;
mod write;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::Metadata;

use self::watch::Watch;
use super::{ClientError, client_config, creation_error};
use crate::config::{KafkaClient, Sasl, Tls};

/// To reach a broker, and again for each question to it.
const PATIENCE: Duration = Duration::from_secs(10);
/// For the list of topics, when it is asked for first.
const FIRST_TIMEOUT: Duration = Duration::from_millis(250);
/// Between two looks at what librdkafka has to tell.
const TICK: Duration = Duration::from_millis(20);

/// Brokers that answered. Texts are for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was found: a word, such as `topic`, and the finding.
    pub lines: Vec<(&'static str, String)>,
    /// What the worker cannot work without, all of it; empty: it can.
    pub missing: Vec<String>,
    /// What will or may go wrong.
    pub notes: Vec<String>,
}

/// No broker answered.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error(transparent)]
    Settings(#[from] ClientError),
    /// Why, and what to try.
    #[error("{0}")]
    Unreachable(String),
}

/// Asks the brokers for all that the source needs: its topics, to read them, its group. Blocks the
/// calling thread, up to ten seconds for the first answer.
///
/// # Errors
/// Settings that cannot work, or no broker that answers.
pub fn probe_consumer(
    client: &KafkaClient,
    topics: &[String],
    group_id: &str,
) -> Result<Report, ProbeError> {
    let mut settings = client_config(client)?;
    settings.set("group.id", group_id).set("isolation.level", "read_committed");
    let probe = Probe::reach(client, settings)?;
    let mut report = probe.greeting(client);
    let found = probe.find(topics, &mut report);
    probe.group(group_id, &found, &mut report);
    probe.read(&found, &mut report);
    Ok(report)
}

/// Asks the brokers for all that dead letters need: their topic, to write to it. Blocks the calling
/// thread as [`probe_consumer`].
///
/// # Errors
/// As [`probe_consumer`].
pub fn probe_producer(client: &KafkaClient, topic: &str) -> Result<Report, ProbeError> {
    let probe = Probe::reach(client, client_config(client)?)?;
    let mut report = probe.greeting(client);
    if let Some(found) = probe.find_one(topic, &mut report) {
        write::may_write(client, &found, &mut report)?;
    }
    Ok(report)
}

/// A client that reached a broker.
struct Probe {
    consumer: BaseConsumer<Watch>,
    metadata: Metadata,
}

impl Probe {
    fn reach(client: &KafkaClient, mut settings: ClientConfig) -> Result<Self, ProbeError> {
        settings
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10")
            .set("allow.auto.create.topics", "false");
        let consumer: BaseConsumer<_> =
            settings.create_with_context(Watch::new(client)?).map_err(creation_error)?;
        let watch = Arc::clone(consumer.client().context());
        let deadline = Instant::now() + PATIENCE;
        let mut timeout = FIRST_TIMEOUT;
        loop {
            drop(consumer.poll(TICK));
            if let Ok(metadata) = consumer.fetch_metadata(None, timeout)
                && !metadata.brokers().is_empty()
            {
                watch.events.recovered();
                return Ok(Self { consumer, metadata });
            }
            // A broker that is only slow gets more and more time.
            timeout = if watch.events.trouble().is_some() {
                FIRST_TIMEOUT
            } else {
                (timeout * 2).min(PATIENCE / 4)
            };
            if watch.is_hopeless() || Instant::now() > deadline {
                return Err(ProbeError::Unreachable(unreachable(client, &watch)));
            }
        }
    }

    fn greeting(&self, client: &KafkaClient) -> Report {
        let brokers = self.metadata.brokers().len();
        let cluster = self.consumer.client().fetch_cluster_id(PATIENCE);
        let cluster = cluster.map_or_else(String::new, |id| format!(" of cluster {id}"));
        let mut report = Report::default();
        // `sasl_ssl://host:port/id`
        let name = self.metadata.orig_broker_name().rsplit("://").next().unwrap_or_default();
        report.lines.push(("reached", name.split('/').next().unwrap_or_default().to_owned()));
        report.lines.push(("brokers", format!("{brokers}{cluster}")));
        report.lines.push(("tls", tls(client.tls.as_ref()).to_owned()));
        report.lines.push(("login", login(client.sasl.as_ref())));
        if client.tls.as_ref().is_some_and(|tls| tls.skip_verify) {
            report.notes.push(
                "kafka.tls.skip_verify is on: anybody in between can read and change everything"
                    .to_owned(),
            );
        }
        if client.tls.is_none()
            && matches!(client.sasl, Some(Sasl::Password { mechanism: "PLAIN", .. }))
        {
            report.notes.push(
                "the password is sent in plain text: set kafka.tls.enabled = true".to_owned(),
            );
        }
        report
    }

    /// Why a question has no answer.
    fn silence(&self) -> String {
        let trouble = self.consumer.client().context().events.trouble();
        trouble
            .unwrap_or_else(|| format!("no answer within {PATIENCE:?}; is the broker overloaded?"))
    }
}

fn unreachable(client: &KafkaClient, watch: &Watch) -> String {
    let servers = &client.bootstrap_servers;
    let silent = || {
        format!(
            "{servers}: no answer within {PATIENCE:?}; is the address right, and is a firewall in \
             between?"
        )
    };
    let why = watch.events.trouble().unwrap_or_else(silent);
    match &client.tls {
        Some(tls) if why.contains("certificate verify failed") => {
            certificate::explain(servers, tls).unwrap_or(why)
        }
        _ => why,
    }
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn tls(tls: Option<&Tls>) -> &'static str {
    match tls {
        None => "none",
        Some(Tls { skip_verify: true, .. }) => "on, NOT verified",
        Some(Tls { client: Some(_), .. }) => "on, verified, with a client certificate",
        Some(_) => "on, verified",
    }
}

fn login(sasl: Option<&Sasl>) -> String {
    match sasl {
        None => "none".to_owned(),
        Some(Sasl::Password { mechanism, username, .. }) => format!("{username}, {mechanism}"),
        Some(Sasl::OAuthBearer { client_id, .. }) => format!("{client_id}, OAUTHBEARER"),
    }
}
