//! Dead letters as records of a Kafka topic.

use std::sync::{Arc, Mutex};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use crate::config::KafkaClient;
use crate::kafka::{
    ClientError, ClientEvents, PlainContext, client_config, creation_error, describe,
};
use crate::lock::lock;

use super::error::DeadLetterError;
use super::letter::Letter;

/// The name of this part in logs.
const PART: &str = "dead letters";
/// After this time a letter counts as not written, and its event is tried again later.
const TIMEOUT_MS: &str = "10000";
/// Larger than any record that brokers accept: the brokers decide.
const MOST_BYTES: &str = "100000000";

type Producer = FutureProducer<PlainContext>;

pub(super) struct DeadLetterTopic {
    settings: ClientConfig,
    /// Replaced after an error from which a producer does not recover.
    producer: Mutex<Producer>,
    events: Arc<ClientEvents>,
    topic: String,
}

impl DeadLetterTopic {
    /// Connects in the background.
    ///
    /// # Errors
    /// Settings that librdkafka refuses, files that cannot be used.
    pub(super) fn new(client: &KafkaClient, topic: &str) -> Result<Self, ClientError> {
        let mut settings = client_config(client)?;
        settings
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", TIMEOUT_MS)
            .set("message.max.bytes", MOST_BYTES);
        let events = Arc::new(ClientEvents::new(PART, client)?);
        let producer = settings
            .create_with_context(PlainContext(Arc::clone(&events)))
            .map_err(creation_error)?;
        Ok(Self { settings, producer: Mutex::new(producer), events, topic: topic.to_owned() })
    }

    /// Returns when all replicas that are in sync have the letters.
    pub(super) async fn write(&self, letters: &[Letter]) -> Result<(), DeadLetterError> {
        let producer = self.producer();
        // All letters are sent before the first is awaited: they share a request.
        let sent: Vec<Result<DeliveryFuture, KafkaError>> =
            letters.iter().map(|letter| self.send(&producer, letter)).collect();
        let mut first_error = None;
        for delivery in sent {
            let delivered = match delivery {
                Ok(delivery) => match delivery.await {
                    Ok(reported) => reported.map(drop).map_err(|(error, _)| error),
                    Err(_) => Err(KafkaError::Canceled),
                },
                Err(error) => Err(error),
            };
            first_error = first_error.or(delivered.err());
        }
        let Some(error) = first_error else {
            self.events.recovered();
            return Ok(());
        };
        // A time-out says less than the last error of the brokers.
        let why = self.events.trouble().unwrap_or_else(|| describe(&error));
        Err(DeadLetterError::Topic { topic: self.topic.clone(), why })
    }

    fn producer(&self) -> Producer {
        let mut producer = lock(&self.producer);
        if producer.client().fatal_error().is_some()
            && let Ok(replacement) =
                self.settings.create_with_context(PlainContext(Arc::clone(&self.events)))
        {
            *producer = replacement;
        }
        producer.clone()
    }

    fn send(&self, producer: &Producer, letter: &Letter) -> Result<DeliveryFuture, KafkaError> {
        // Without a record the Redis key keeps the letters of a user in one partition, in order.
        let key = match &letter.record {
            _ if letter.is_tombstone => Some(letter.event.as_slice()),
            Some(record) => record.key.as_deref(),
            None => letter.key.as_deref(),
        };
        let mut record = FutureRecord::<[u8], [u8]>::to(&self.topic).headers(headers(letter));
        record.key = key;
        record.payload = (!letter.is_tombstone).then_some(letter.event.as_slice());
        producer.send_result(record).map_err(|(error, _)| error)
    }
}

/// The headers of the original record, and then those of this program.
fn headers(letter: &Letter) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new();
    for (key, value) in letter.record.iter().flat_map(|record| &record.headers) {
        headers = headers.insert(Header { key, value: value.as_deref() });
    }
    let mut add = |key: &str, value: &[u8]| {
        headers = std::mem::take(&mut headers).insert(Header { key, value: Some(value) })
    };
    add("traitsink-reason", letter.reason.as_str().as_bytes());
    add("traitsink-source", letter.source.as_str().as_bytes());
    if let Some(key) = &letter.key {
        add("traitsink-key", key);
    }
    if let Some(prefix) = &letter.prefix {
        add("traitsink-prefix", prefix.as_bytes());
    }
    if let Some(path) = &letter.prefix_path {
        add("traitsink-prefix-path", path.as_bytes());
    }
    if let Some(path_type) = &letter.path_type {
        add("traitsink-type", path_type.as_bytes());
    }
    if let Some(time) = letter.time {
        add("traitsink-event-time", time.to_string().as_bytes());
    }
    if let Some(record) = &letter.record {
        add("traitsink-topic", record.topic.as_bytes());
        add("traitsink-partition", record.partition.to_string().as_bytes());
        add("traitsink-offset", record.offset.to_string().as_bytes());
        if let Some(timestamp) = record.timestamp {
            add("traitsink-timestamp", timestamp.to_string().as_bytes());
        }
    }
    headers
}
