//! librdkafka's callbacks: log lines, errors, requests for a token.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use super::repeats::Repeats;
use super::{ClientError, TokenSource, explain};
use crate::config::KafkaClient;
use crate::lock::lock;

/// The state that a client's contexts share: they pass librdkafka's callbacks to it, which logs
/// them and keeps the last error.
pub struct ClientEvents {
    /// The part of the program that owns the client, for the log.
    part: &'static str,
    tokens: Option<TokenSource>,
    trouble: Mutex<Option<String>>,
    repeats: Mutex<Repeats>,
}

impl ClientEvents {
    /// The events of a client that belongs to `part`, such as `kafka`.
    ///
    /// # Errors
    /// The token endpoint cannot be used.
    pub fn new(part: &'static str, client: &KafkaClient) -> Result<Self, ClientError> {
        let tokens = TokenSource::new(client.sasl.as_ref())?;
        Ok(Self { part, tokens, trouble: Mutex::default(), repeats: Mutex::default() })
    }

    /// Logs a line of librdkafka's log; a repeated line about once a minute.
    pub fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        use RDKafkaLogLevel as L;
        let part = self.part;
        match level {
            L::Warning | L::Notice | L::Info if facility == "FAIL" => self.disconnected(message),
            L::Notice | L::Info | L::Debug => {
                tracing::debug!(target: "librdkafka", part, facility, "{message}")
            }
            // The same text comes as an error, too, and is explained there.
            _ if matches!(facility, "FAIL" | "ERROR") => {
                tracing::debug!(target: "librdkafka", part, facility, "{message}")
            }
            _ => {
                let Some(repeats) = lock(&self.repeats).admit(message, Instant::now()) else {
                    return;
                };
                match level {
                    L::Emerg | L::Alert | L::Critical => {
                        tracing::error!(target: "librdkafka", part, facility, repeats, "{message}");
                    }
                    _ => tracing::warn!(target: "librdkafka", part, facility, repeats, "{message}"),
                }
            }
        }
    }

    /// Notes a connection that a broker closed: librdkafka reports no error for it, though it is
    /// the only sign of a wrong port.
    fn disconnected(&self, message: &str) {
        tracing::debug!(target: "librdkafka", part = self.part, "{message}");
        if !closed_when_idle(message) {
            self.remember(explain(RDKafkaErrorCode::BrokerTransportFailure, message));
        }
    }

    /// Keeps an error in plain words, and logs it unless it was logged within the last minute.
    pub fn error(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        match code {
            RDKafkaErrorCode::PartitionEOF => {}
            // Comes after the error that says why, and says less.
            RDKafkaErrorCode::AllBrokersDown if self.trouble().is_some() => {}
            _ => self.remember(explain(code, reason)),
        }
    }

    fn remember(&self, text: String) {
        if let Some(repeats) = lock(&self.repeats).admit(&text, Instant::now()) {
            tracing::warn!(part = self.part, repeats, "{text}");
        }
        *lock(&self.trouble) = Some(text);
    }

    /// A new token. Blocks as long as [`TokenSource::fetch`].
    ///
    /// # Errors
    /// One line for people; librdkafka passes it to [`Self::error`] and asks again ten seconds
    /// later.
    pub fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let tokens = self.tokens.as_ref().ok_or("kafka.sasl.mechanism is not OAUTHBEARER")?;
        Ok(tokens.fetch()?)
    }

    /// The last error in plain words; `None` when something succeeded since.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Forgets the last error: something succeeded.
    pub fn recovered(&self) {
        *lock(&self.trouble) = None;
    }
}

/// True for a connection that the broker closed because it was idle for minutes:
/// `(after 600123ms in state UP)`.
fn closed_when_idle(message: &str) -> bool {
    let Some((before, _)) = message.split_once("ms in state UP") else { return false };
    let digits = before.rsplit(' ').next().unwrap_or_default();
    digits.parse::<u64>().is_ok_and(|milliseconds| milliseconds > 10_000)
}

/// The context of a client that needs nothing besides [`ClientEvents`].
#[derive(Clone)]
pub struct PlainContext(pub Arc<ClientEvents>);

impl ClientContext for PlainContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.0.token()
    }
}

impl ConsumerContext for PlainContext {}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> ClientEvents {
        let client = KafkaClient {
            bootstrap_servers: "127.0.0.1:9092".to_owned(),
            sasl: None,
            tls: None,
            librdkafka: std::collections::BTreeMap::new(),
        };
        ClientEvents::new("kafka", &client).expect("nothing to be wrong")
    }

    fn global(code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::Global(code)
    }

    #[test]
    fn the_reason_is_kept_until_something_succeeds() {
        let events = events();
        assert_eq!(events.trouble(), None);
        events.error(&global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert!(events.trouble().unwrap().contains("no broker can be reached"));
        events.error(&global(RDKafkaErrorCode::Resolve), "a:1/bootstrap: Failed to resolve 'a:1'");
        events.error(&global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert!(events.trouble().unwrap().starts_with("a:1: Failed to resolve"));
        events.recovered();
        assert_eq!(events.trouble(), None);
    }

    #[test]
    fn a_closed_connection_is_trouble_unless_it_was_idle() {
        let line = |time| {
            format!(
                "[thrd:a:1/1]: a:1/1: Disconnected: connection closed by peer (after {time}ms in \
                 state UP)"
            )
        };
        let events = events();
        events.log(RDKafkaLogLevel::Info, "FAIL", &line(600_123));
        assert_eq!(events.trouble(), None);
        events.log(RDKafkaLogLevel::Info, "FAIL", &line(293));
        assert!(events.trouble().unwrap().contains("kafka.sasl"));
    }

    #[test]
    fn the_end_of_a_partition_is_no_trouble() {
        let events = events();
        events.error(
            &global(RDKafkaErrorCode::PartitionEOF),
            "Fetch from broker 1 reached end of partition at offset 0",
        );
        assert_eq!(events.trouble(), None);
    }

    #[test]
    fn no_token_without_oauthbearer() {
        assert!(events().token().err().unwrap().to_string().contains("OAUTHBEARER"));
    }
}
