//! Reaching a broker: until one answers, or until waiting longer is of no use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::Metadata;

use super::certificate;
use super::context::ProbeContext;
use super::report::BrokerReport;
use crate::config::{KafkaClient, Sasl, Tls};
use crate::kafka::{ClientError, creation_error};

/// Time limit for reaching a broker, and for each question to it.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for the list of topics, when it is asked for first.
const FIRST_TIMEOUT: Duration = Duration::from_millis(250);
/// Pause between two looks at what librdkafka reports.
pub(super) const POLL_PAUSE: Duration = Duration::from_millis(20);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error(transparent)]
    Settings(#[from] ClientError),
    /// Why, and what to try.
    #[error("{0}")]
    Unreachable(String),
}

/// A client that reached a broker.
pub(super) struct Probe {
    pub(super) consumer: BaseConsumer<ProbeContext>,
    pub(super) metadata: Metadata,
}

impl Probe {
    /// Connects with `settings`.
    ///
    /// # Errors
    /// The settings cannot work, or no broker answers.
    pub(super) fn reach(
        client: &KafkaClient,
        mut settings: ClientConfig,
    ) -> Result<Self, ProbeError> {
        settings
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10")
            .set("allow.auto.create.topics", "false");
        let consumer: BaseConsumer<_> =
            settings.create_with_context(ProbeContext::new(client)?).map_err(creation_error)?;
        let watch = Arc::clone(consumer.client().context());
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut timeout = FIRST_TIMEOUT;
        loop {
            drop(consumer.poll(POLL_PAUSE));
            if let Ok(metadata) = consumer.fetch_metadata(None, timeout)
                && !metadata.brokers().is_empty()
            {
                watch.events.recovered();
                return Ok(Self { consumer, metadata });
            }
            // A slow broker gets more and more time.
            timeout = if watch.events.trouble().is_some() {
                FIRST_TIMEOUT
            } else {
                (timeout * 2).min(ANSWER_TIMEOUT / 4)
            };
            if watch.is_hopeless() || Instant::now() > deadline {
                return Err(ProbeError::Unreachable(unreachable(client, &watch)));
            }
        }
    }

    /// A report that begins with what was reached, and how.
    pub(super) fn greeting(&self, client: &KafkaClient) -> BrokerReport {
        let brokers = self.metadata.brokers().len();
        let cluster = self.consumer.client().fetch_cluster_id(ANSWER_TIMEOUT);
        let cluster = cluster.map_or_else(String::new, |id| format!(" of cluster {id}"));
        let mut report = BrokerReport::default();
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

    /// Why a question got no answer.
    pub(super) fn silence(&self) -> String {
        let trouble = self.consumer.client().context().events.trouble();
        trouble.unwrap_or_else(|| {
            format!("no answer within {ANSWER_TIMEOUT:?}; is the broker overloaded?")
        })
    }
}

fn unreachable(client: &KafkaClient, watch: &ProbeContext) -> String {
    let servers = &client.bootstrap_servers;
    let silent = || {
        format!(
            "{servers}: no answer within {ANSWER_TIMEOUT:?}; is the address right, and is a \
             firewall in between?"
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
