//! Single records, written to topics and read from them.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use super::kafka::Kafka;

/// Time limit for a broker's answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A record to write to partition 0.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NewRecord<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

/// A record with only a value.
pub(crate) fn value(value: &[u8]) -> NewRecord<'_> {
    NewRecord { value: Some(value), ..NewRecord::default() }
}

/// Writes records to partition 0, one after the other; returns their offsets.
pub(crate) fn write(kafka: &Kafka, topic: &str, records: &[NewRecord<'_>]) -> Vec<i64> {
    write_to(kafka, topic, 0, records)
}

/// [`write`] for any partition.
pub(crate) fn write_to(
    kafka: &Kafka,
    topic: &str,
    partition: i32,
    records: &[NewRecord<'_>],
) -> Vec<i64> {
    let mut settings = kafka.client();
    let producer: FutureProducer =
        settings.set("message.max.bytes", "4000000").create().expect("a producer");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let offsets = records.iter().map(|given| {
        let mut headers = OwnedHeaders::new();
        for (key, value) in given.headers {
            headers = headers.insert(Header { key, value: Some(*value) });
        }
        let mut record =
            FutureRecord::<[u8], [u8]>::to(topic).partition(partition).headers(headers);
        (record.key, record.payload) = (given.key, given.value);
        let delivery = runtime
            .block_on(producer.send(record, PATIENCE))
            .unwrap_or_else(|(error, _)| panic!("{topic}: {error}"));
        delivery.offset
    });
    offsets.collect()
}

/// The first `count` records of partition 0.
pub(crate) fn read(kafka: &Kafka, topic: &str, count: usize) -> Vec<OwnedMessage> {
    let mut settings = kafka.client();
    let consumer: BaseConsumer = settings
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
    consumer.assign(&list).expect("an assignment");
    let start = Instant::now();
    let mut records = Vec::new();
    while records.len() < count {
        assert!(start.elapsed() < PATIENCE, "{topic} has {} records, not {count}", records.len());
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            records.push(message.detach());
        }
    }
    records
}

/// A record's headers as text.
pub(crate) fn headers(message: &OwnedMessage) -> Vec<(String, String)> {
    let text =
        |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    message
        .headers()
        .into_iter()
        .flat_map(|headers| headers.iter())
        .map(|one| (one.key.to_owned(), text(one.value)))
        .collect()
}
