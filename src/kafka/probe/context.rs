//! librdkafka's callbacks, as the probe needs them.

use std::error::Error;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::Statistics;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};

use crate::config::KafkaClient;
use crate::kafka::{ClientError, ClientEvents};
use crate::lock::lock;

/// How long the probe goes on after "all brokers down": librdkafka may still try the second address
/// of a name such as `localhost`.
const SECOND_TRY: Duration = Duration::from_secs(2);

/// The context of the probe's clients: what they reported so far.
pub(super) struct ProbeContext {
    pub(super) events: ClientEvents,
    observed: Mutex<Observed>,
}

#[derive(Default)]
struct Observed {
    hopeless_at: Option<Instant>,
    group_refused: bool,
    delivery: Option<Result<(), RDKafkaErrorCode>>,
}

impl ProbeContext {
    pub(super) fn new(client: &KafkaClient) -> Result<Self, ClientError> {
        Ok(Self { events: ClientEvents::new("kafka", client)?, observed: Mutex::default() })
    }

    /// True when waiting longer would change nothing.
    pub(super) fn is_hopeless(&self) -> bool {
        self.observe(|observed| observed.hopeless_at.is_some_and(|at| at <= Instant::now()))
    }

    /// True when a broker refused the use of the consumer group.
    pub(super) fn is_group_refused(&self) -> bool {
        self.observe(|observed| observed.group_refused)
    }

    /// How the delivery of the probe's record ended; `None` while it is pending.
    pub(super) fn delivered(&self) -> Option<Result<(), RDKafkaErrorCode>> {
        self.observe(|observed| observed.delivery)
    }

    fn observe<T>(&self, at: impl FnOnce(&mut Observed) -> T) -> T {
        at(&mut lock(&self.observed))
    }
}

impl ClientContext for ProbeContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.events.log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        self.observe(|observed| match code {
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                _ = observed.hopeless_at.get_or_insert(Instant::now() + SECOND_TRY)
            }
            Some(RDKafkaErrorCode::Authentication) => observed.hopeless_at = Some(Instant::now()),
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => observed.group_refused = true,
            _ => {}
        });
        self.events.error(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.events.token()
    }
}

impl ConsumerContext for ProbeContext {}

impl ProducerContext for ProbeContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let code =
            |error: &KafkaError| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        let result = result.as_ref().map(|_| ()).map_err(|(error, _)| code(error));
        self.observe(|observed| observed.delivery = Some(result));
    }
}
