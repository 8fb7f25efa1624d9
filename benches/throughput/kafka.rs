//! Benchmark of `traitsink run`: a Kafka topic into Redis.

use std::time::{Duration, Instant};

use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use super::events::{USERS, event};
use super::harness::app::App;
use super::harness::kafka::{Kafka, unique};
use super::harness::let_pass;
use super::redis::BenchServer;

const PARTITIONS: u64 = 4;

/// The measured rates of one run.
pub(super) struct KafkaRun {
    /// Events per second, from the start of the process; joining the group is included.
    pub(super) rate: f64,
    /// CPU time of the worker for each event.
    pub(super) cpu: Duration,
}

/// Fills a new topic; returns its name.
pub(super) fn produce(kafka: &Kafka, events: u64) -> String {
    let topic = kafka.topic("bench", PARTITIONS as i32, &[]);
    let mut settings = kafka.client();
    settings.set("linger.ms", "20").set("queue.buffering.max.kbytes", "65536");
    let producer: ThreadedProducer<DefaultProducerContext> = settings.create().expect("a producer");
    let mut value = String::new();
    for _ in 0..events {
        let user = fastrand::u64(0..USERS);
        let key = format!("user-{user}");
        value.clear();
        event(&mut value, user);
        let mut record = BaseRecord::to(&topic)
            .key(&key)
            .payload(value.trim_end())
            .partition((user % PARTITIONS) as i32);
        while let Err((_, back)) = producer.send(record) {
            let_pass(Duration::from_millis(1));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(120)).expect("all records are taken");
    topic
}

/// Reads the topic from its start as a new group, until every event is written.
pub(super) fn consume(redis: &BenchServer, kafka: &Kafka, topic: &str, events: u64) -> KafkaRun {
    redis.cli(&["FLUSHALL"]);
    let servers = format!("kafka.bootstrap_servers={}", kafka.servers());
    let (topics, group) =
        (format!("kafka.topics={topic}"), format!("kafka.group_id={}", unique("bench")));
    let start = Instant::now();
    let app =
        App::start(&format!("redis://127.0.0.1:{}", redis.port), &[&servers, &topics, &group]);
    while app.metric("traitsink_events_written_total", "kafka") < events as f64 {
        assert!(
            start.elapsed() < Duration::from_secs(300),
            "not all is written:\n{}",
            app.metrics()
        );
        let_pass(Duration::from_millis(20));
    }
    let rate = events as f64 / start.elapsed().as_secs_f64();
    KafkaRun { rate, cpu: cpu_time(app.pid()) / events as u32 }
}

/// User and system time of a process so far; the metric counts whole seconds.
fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("own child");
    // The fields after the name, which ends in a bracket: utime and stime, in hundredths of a
    // second.
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a line").split_whitespace().collect();
    let ticks: u64 =
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}
