//! Topics into Redis, by the real worker from a real broker.

use crate::harness::app::App;
use crate::harness::eventually;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::redis::Redis;
use crate::harness::stream::fill;

const PARTITIONS: usize = 4;

/// A worker that reads `topic` as `group`, and nothing else.
fn worker(kafka: &Kafka, redis: &Redis, topic: &str, group: &str, settings: &[&str]) -> App {
    let servers = format!("kafka.bootstrap_servers={}", kafka.servers());
    let (topics, group) = (format!("kafka.topics={topic}"), format!("kafka.group_id={group}"));
    let mut all = vec![servers.as_str(), &topics, &group, "kafka.session_timeout=6s", "kafka.commit_interval=200ms"];
    all.extend(settings);
    App::start(&format!("redis://127.0.0.1:{}", redis.port()), &all)
}

#[test]
fn each_hash_is_the_fold_of_its_events() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("mixed", PARTITIONS as i32, &[]), unique("group"));
    let produced = fill(kafka, &topic, PARTITIONS, 5000, 200_000);
    let app = worker(kafka, &redis, &topic, &group, &[]);
    let ends: Vec<Option<i64>> = kafka.watermarks(&topic).into_iter().map(|(_, end)| Some(end)).collect();
    eventually("all is committed", || kafka.committed(&group, &topic) == ends);
    assert_eq!(produced.differences(&redis), Vec::<String>::new());
    app.assert_ledger_closes();
}
