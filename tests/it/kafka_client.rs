//! Real brokers: what the harness promises of them.

use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::harness::eventually;
use crate::harness::kafka::{Kafka, unique};

const PATIENCE: Duration = Duration::from_secs(60);

fn produce(kafka: &Kafka, topic: &str, values: &[&str]) {
    // A paused broker accepts connections and leaves every question open.
    let producer: ThreadedProducer<DefaultProducerContext> =
        kafka.client().set("socket.timeout.ms", "3000").create().expect("a producer");
    for value in values {
        producer.send(BaseRecord::<(), str>::to(topic).payload(value).partition(0)).expect("room in the queue");
    }
    producer.flush(PATIENCE).expect("brokers answer");
}

/// Reads `count` records of `topic` as a member of `group`, and commits.
fn consume(kafka: &Kafka, group: &str, topic: &str, count: usize) -> Vec<String> {
    let consumer: BaseConsumer =
        kafka.client().set("group.id", group).set("auto.offset.reset", "earliest").create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("a valid name");
    let mut values = Vec::new();
    eventually("records arrive", || {
        if let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) {
            values.push(String::from_utf8(record.payload().expect("a value").to_vec()).expect("text"));
        }
        values.len() == count
    });
    consumer.commit_consumer_state(CommitMode::Sync).expect("a group");
    values
}

#[test]
fn records_and_commits_are_there() {
    let kafka = Kafka::shared();
    let (topic, group) = (kafka.topic("smoke", 2, &[("retention.ms", "-1")]), unique("smoke"));
    produce(kafka, &topic, &["a", "b", "c"]);
    assert_eq!(kafka.watermarks(&topic), [(0, 3), (0, 0)]);
    assert_eq!(kafka.committed(&group, &topic), [None, None]);
    assert_eq!(consume(kafka, &group, &topic, 3), ["a", "b", "c"]);
    assert_eq!(kafka.committed(&group, &topic), [Some(3), None]);
}

#[test]
fn a_killed_broker_comes_back_with_its_records() {
    let mut kafka = Kafka::start();
    let topic = kafka.topic("kept", 1, &[]);
    produce(&kafka, &topic, &["a", "b"]);
    kafka.kill(0);
    kafka.restart(0);
    assert_eq!(consume(&kafka, "after", &topic, 2), ["a", "b"]);
}

#[test]
fn a_cluster_survives_a_killed_and_a_paused_broker() {
    let mut kafka = Kafka::cluster(3);
    assert_eq!(kafka.servers().split(',').count(), 3);
    let topic = kafka.topic("replicated", 1, &[]);
    kafka.pause(1);
    produce(&kafka, &topic, &["a"]);
    kafka.resume(1);
    kafka.kill(0);
    produce(&kafka, &topic, &["b"]);
    kafka.restart(0);
    assert_eq!(consume(&kafka, "after", &topic, 2), ["a", "b"]);
}
