//! `/api/status` of a worker that reads from Kafka: partitions with their lag, and rejections.

use traitsink::status::{KafkaReport, PartitionReport, StatusReport};

use crate::harness::app::App;
use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::records::{value, write, write_to};
use crate::harness::redis::Redis;
use crate::kafka_source::{identify, wait_committed, worker};

fn report(app: &App) -> StatusReport {
    let answer = Client::new(app.admin).get("/api/status").expect("an answer");
    serde_json::from_slice(&answer.body).expect("the document of /api/status")
}

#[test]
fn partitions_have_their_lag_and_bad_records_their_reason() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, dead, group) =
        (kafka.topic("status", 2, &[]), kafka.topic("status-dead", 1, &[]), unique("group"));
    redis.cli(&["SET", "user:text", "x"]);
    let (good, refused) = (identify("u", 1), identify("text", 1));
    // A partition has a lag once something of it was read.
    write_to(kafka, &topic, 1, &[value(good.as_bytes())]);
    write(kafka, &topic, &[value(good.as_bytes()), value(b"{"), value(refused.as_bytes())]);
    let letters = ["dead_letter.to=kafka".to_owned(), format!("dead_letter.topic={dead}")];
    let settings = [&letters[0], letters[1].as_str(), "redis.response_timeout=60s"];
    let app = worker(kafka, &redis, &topic, &group, &settings);
    wait_committed(kafka, &group, &topic);

    let lags = |of: [i64; 2]| {
        let partition =
            |(number, lag)| PartitionReport { topic: topic.clone(), partition: number, lag };
        Some(KafkaReport {
            assigned: 2,
            paused: 0,
            partitions: (0..).zip(of).map(partition).collect(),
        })
    };
    eventually("both partitions are read to their end", || report(&app).kafka == lags([0, 0]));
    let seen = report(&app);
    let sources: Vec<&str> = seen.sources.iter().map(|source| source.source.as_str()).collect();
    assert_eq!(sources, ["http", "kafka"]);
    let source = &seen.sources[1];
    assert_eq!((source.received, source.written), (4, 2));
    let mut told: Vec<_> = seen
        .rejections
        .iter()
        .map(|one| {
            let words = (one.source.as_str(), one.outcome.as_str(), one.reason.as_str());
            (words, one.user.is_some())
        })
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            (("kafka", "dead_lettered", "invalid_json"), false),
            (("kafka", "dead_lettered", "wrong_type"), true),
        ]
    );
    let letters = &seen.dead_letters;
    assert_eq!((letters.to.as_str(), letters.place.as_deref()), ("kafka", Some(dead.as_str())));
    assert_eq!((letters.bytes, letters.max_bytes), (None, None));

    // While Redis does not answer, what is not committed is the lag.
    redis.pause();
    let more: Vec<String> = (0..5).map(|n| identify(&format!("later{n}"), 1)).collect();
    let more: Vec<_> = more.iter().map(|event| value(event.as_bytes())).collect();
    write_to(kafka, &topic, 1, &more);
    eventually("five records wait", || {
        let partitions = report(&app).kafka.expect("a Kafka source").partitions;
        partitions.iter().any(|one| (one.partition, one.lag) == (1, 5))
    });
    redis.resume();
    eventually("nothing waits any more", || report(&app).kafka == lags([0, 0]));
    app.assert_at_rest();
}
