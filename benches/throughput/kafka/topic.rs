//! A topic full of events.

use std::time::Duration;

use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::events::{Events, Mix};
use crate::harness::kafka::Kafka;
use crate::harness::let_pass;

const PARTITIONS: u64 = 4;

pub(super) struct Topic {
    pub(super) name: String,
    pub(super) mix: Mix,
    /// The events of the topic, which say what Redis holds in the end.
    pub(super) events: Events,
}

impl Topic {
    /// Makes a topic and fills it; a user's events are in one partition.
    pub(super) fn fill(kafka: &Kafka, mix: Mix, count: u64) -> Self {
        let name = kafka.topic("bench", PARTITIONS as i32, &[]);
        let mut settings = kafka.client();
        settings.set("linger.ms", "20").set("queue.buffering.max.kbytes", "65536");
        // Records that are sent again must not come after later ones.
        settings.set("enable.idempotence", "true");
        let producer: ThreadedProducer<DefaultProducerContext> =
            settings.create().expect("a producer");
        let mut events = Events::new(mix);
        let mut value = String::new();
        for _ in 0..count {
            let user = events.next(&mut value);
            let key = format!("user-{user}");
            let mut record = BaseRecord::to(&name)
                .key(&key)
                .payload(&value)
                .partition((user % PARTITIONS) as i32);
            while let Err((_, back)) = producer.send(record) {
                let_pass(Duration::from_millis(1));
                record = back;
            }
        }
        producer.flush(Duration::from_secs(120)).expect("all records are taken");
        Self { name, mix, events }
    }

    pub(super) fn name_of_mix(&self) -> &'static str {
        match self.mix {
            Mix::All => "all identify",
            Mix::Fifth => "20 % identify",
        }
    }
}
