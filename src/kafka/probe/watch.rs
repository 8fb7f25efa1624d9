//! The probe's ear for librdkafka.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::Statistics;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};

use crate::config::KafkaClient;
use crate::kafka::{ClientError, ClientEvents};

/// When all are down, the next address of `localhost` may still be tried.
const SECOND_TRY: Duration = Duration::from_secs(2);

pub(super) struct Watch {
    pub(super) events: ClientEvents,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    hopeless_at: Option<Instant>,
    group_refused: bool,
    delivery: Option<Result<(), RDKafkaErrorCode>>,
}

impl Watch {
    pub(super) fn new(client: &KafkaClient) -> Result<Self, ClientError> {
        Ok(Self { events: ClientEvents::new("kafka", client)?, seen: Mutex::default() })
    }

    /// Waiting longer would change nothing.
    pub(super) fn is_hopeless(&self) -> bool {
        self.look(|seen| seen.hopeless_at.is_some_and(|at| at <= Instant::now()))
    }

    pub(super) fn is_group_refused(&self) -> bool {
        self.look(|seen| seen.group_refused)
    }

    /// What became of the record.
    pub(super) fn delivered(&self) -> Option<Result<(), RDKafkaErrorCode>> {
        self.look(|seen| seen.delivery)
    }

    fn look<T>(&self, at: impl FnOnce(&mut Seen) -> T) -> T {
        at(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Watch {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.events.log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        self.look(|seen| match code {
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                _ = seen.hopeless_at.get_or_insert(Instant::now() + SECOND_TRY)
            }
            Some(RDKafkaErrorCode::Authentication) => seen.hopeless_at = Some(Instant::now()),
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => seen.group_refused = true,
            _ => {}
        });
        self.events.error(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.events.token()
    }
}

impl ConsumerContext for Watch {}

impl ProducerContext for Watch {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let code =
            |error: &KafkaError| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        let result = result.as_ref().map(|_| ()).map_err(|(error, _)| code(error));
        self.look(|seen| seen.delivery = Some(result));
    }
}
