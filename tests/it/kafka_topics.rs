//! Topics that are no plain logs: compacted, transactional, truncated at the old end, or with odd
//! records.

use std::time::Duration;

use nix::sys::signal::Signal;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::harness::app::App;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::matrix::play;
use crate::harness::records::{NewRecord, value, write};
use crate::harness::redis::Redis;
use crate::harness::{eventually, let_pass};
use crate::kafka_source::worker;

/// Time limit for a broker's answer.
const PATIENCE: Duration = Duration::from_secs(30);

fn identify(user: &str, number: u32) -> String {
    format!(r#"{{"type":"identify","userId":"{user}","traits":{{"n":{number}}}}}"#)
}

fn stored(redis: &Redis, user: &str) -> Option<u32> {
    let hash = redis.hgetall(&format!("user:{user}"));
    hash.get(&b"n"[..]).map(|value| String::from_utf8_lossy(value).parse().expect("a number"))
}

fn no_lag(app: &App, topic: &str) {
    eventually("a lag is known", || app.metrics().contains(&format!("topic=\"{topic}\"")));
    eventually("nothing is left to read", || {
        app.metric("traitsink_kafka_consumer_lag", topic) == 0.0
    });
}

/// Number of topics that the worker found created again.
pub(crate) fn recreations(app: &App) -> f64 {
    app.metric("traitsink_kafka_topics_recreated_total", "")
}

/// Compaction removes old values, and their offsets with them.
#[test]
fn d5_a_compacted_topic_does_not_stall() {
    play("D5", "a compacted topic", 2..=3, |_| {
        let (kafka, redis) = (Kafka::shared(), Redis::start());
        let compact = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "100"),
            ("min.cleanable.dirty.ratio", "0.001"),
        ];
        let (topic, group) = (kafka.topic("compacted", 1, &compact), unique("group"));
        let batch = |from: u32| {
            let texts: Vec<(String, String)> = (from..from + 50)
                .map(|n| (format!("c{}", n % 5), n))
                .map(|(user, n)| (user.clone(), identify(&user, n)))
                .collect();
            let records = texts.iter().map(|(user, text)| NewRecord {
                key: Some(user.as_bytes()),
                ..value(text.as_bytes())
            });
            write(kafka, &topic, &records.collect::<Vec<_>>());
        };
        batch(0);
        // The newest segment is never compacted: records are written until the first ones are gone.
        let mut next = 50;
        eventually("old values are compacted away", || {
            let_pass(Duration::from_millis(200));
            batch(next);
            next += 50;
            kafka.count(&topic) < i64::from(next)
        });
        let app = worker(kafka, &redis, &topic, &group, &[]);
        no_lag(&app, &topic);
        for user in 0..5 {
            assert_eq!(stored(&redis, &format!("c{user}")), Some(next - 5 + user), "c{user}");
        }
        let received = app.metric("traitsink_events_received_total", "kafka");
        assert!(received < f64::from(next), "{received} of {next}: nothing was compacted");
        assert_eq!(recreations(&app), 0.0);
        app.assert_at_rest();
    });
}

/// Aborted records never arrive, and transaction markers at the end are no lag.
#[test]
fn d5_a_transactional_topic_does_not_stall() {
    play("D5", "a transactional topic with aborted records", 2..=3, |_| {
        let (kafka, redis) = (Kafka::shared(), Redis::start());
        let (topic, group) = (kafka.topic("transactional", 1, &[]), unique("group"));
        let mut settings = kafka.client();
        let producer: BaseProducer =
            settings.set("transactional.id", unique("writer")).create().expect("a producer");
        producer.init_transactions(PATIENCE).expect("a coordinator");
        let transaction = |from: u32, commit: bool| {
            producer.begin_transaction().expect("a transaction");
            for number in from..from + 10 {
                let text = identify("t", number);
                producer
                    .send(BaseRecord::<(), _>::to(&topic).payload(&text))
                    .map_err(|(error, _)| error)
                    .expect("room in the queue");
            }
            producer.flush(PATIENCE).expect("records are taken");
            if commit {
                producer.commit_transaction(PATIENCE)
            } else {
                producer.abort_transaction(PATIENCE)
            }
            .expect("the transaction ends");
        };
        transaction(100, true);
        transaction(200, false);
        let app = worker(kafka, &redis, &topic, &group, &[]);
        no_lag(&app, &topic);
        assert_eq!(stored(&redis, "t"), Some(109));
        transaction(300, false);
        transaction(400, true);
        transaction(500, false);
        eventually("the second commit arrives", || stored(&redis, "t") == Some(409));
        no_lag(&app, &topic);
        assert_eq!(app.metric("traitsink_events_received_total", "kafka"), 20.0);
        assert_eq!(recreations(&app), 0.0);
        app.assert_at_rest();
    });
}

/// Retention removed the committed offset: the group starts where the configuration says.
#[test]
fn d6_records_that_are_gone_are_passed_over() {
    play("D6", "records that are gone before they are read", 2..=5, |_| {
        let (kafka, redis) = (Kafka::shared(), Redis::start());
        let (topic, group) = (kafka.topic("retention", 1, &[]), unique("group"));
        write(kafka, &topic, &[value(identify("r", 1).as_bytes())]);
        let mut app = worker(kafka, &redis, &topic, &group, &[]);
        eventually("it is committed", || kafka.committed(&group, &topic) == [Some(1)]);
        app.signal(Signal::SIGTERM);
        assert!(app.wait(Duration::from_secs(20)).success());

        let large = format!(
            r#"{{"type":"identify","userId":"r","traits":{{"large":"{}"}}}}"#,
            "x".repeat(1_000_000)
        );
        let newest = identify("r", 9);
        let empty = NewRecord { key: Some(b"r"), ..NewRecord::default() };
        write(
            kafka,
            &topic,
            &[
                value(identify("r", 2).as_bytes()),
                empty,
                value(large.as_bytes()),
                value(b""),
                value(newest.as_bytes()),
            ],
        );
        kafka.delete_before(&topic, 3);

        let mut strict = worker(kafka, &redis, &topic, &group, &["kafka.auto_offset_reset=error"]);
        assert_eq!(
            strict.wait(Duration::from_secs(30)).code(),
            Some(70),
            "{}",
            strict.log().join("\n")
        );
        assert_eq!(kafka.committed(&group, &topic), [Some(1)]);

        let app = worker(kafka, &redis, &topic, &group, &[]);
        eventually("the newest value is stored", || stored(&redis, "r") == Some(9));
        eventually("all is committed", || kafka.committed(&group, &topic) == [Some(6)]);
        assert_eq!(redis.hgetall("user:r")[&b"large"[..]].len(), 1_000_000);
        assert_eq!(
            app.metric("traitsink_events_skipped_total", "reason=\"empty\",source=\"kafka\""),
            1.0
        );
        assert_eq!(recreations(&app), 0.0);
        app.assert_at_rest();
    });
}

/// The time in which a topic does not exist, as the worker sees it.
#[derive(Clone, Copy, PartialEq)]
enum Absence {
    Nothing,
    /// As short as the broker allows.
    Brief,
    /// Long enough to notice that the topic is gone.
    Gone,
}

/// Deletes a topic and creates it again while a worker reads it; the new topic has `records`
/// instead of the five that the worker had read.
fn recreate(records: u32, absence: Absence) -> (App, Redis) {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("recreated", 1, &[]), unique("group"));
    let fill = |name: &str, records: u32| {
        let texts: Vec<String> = (0..records).map(|n| identify(&format!("{name}{n}"), n)).collect();
        write(kafka, &topic, &texts.iter().map(|text| value(text.as_bytes())).collect::<Vec<_>>());
    };
    // The worker is stopped for longer than the usual session timeout of the tests.
    let app = worker(kafka, &redis, &topic, &group, &["kafka.session_timeout=45s"]);
    fill("old", 5);
    eventually("the old records are committed", || kafka.committed(&group, &topic) == [Some(5)]);
    if absence == Absence::Nothing {
        app.signal(Signal::SIGSTOP);
    }
    kafka.delete_topic(&topic);
    if absence == Absence::Gone {
        let_pass(Duration::from_secs(2));
    }
    kafka.create_topic(&topic, 1, &[]);
    // A deletion takes a while; until then, records still go to the old topic.
    eventually("the new topic is there", || kafka.watermarks(&topic) == [(0, 0)]);
    fill("new", records);
    if absence == Absence::Nothing {
        app.signal(Signal::SIGCONT);
    }
    let committed = || kafka.committed(&group, &topic);
    eventually("all new records are committed", || committed() == [Some(i64::from(records))]);
    for n in 0..records {
        assert_eq!(stored(&redis, &format!("new{n}")), Some(n), "new{n} was skipped");
    }
    // The worker continues as before.
    fill("more", 3);
    eventually("more records are committed", || committed() == [Some(i64::from(records) + 3)]);
    assert_eq!(stored(&redis, "more2"), Some(2));
    (app, redis)
}

#[test]
fn a_topic_that_was_created_again_is_read_from_its_beginning() {
    let (app, _redis) = recreate(12, Absence::Nothing);
    assert_eq!(recreations(&app), 1.0);
    app.wait_for_line("deleted and created again");
    app.assert_at_rest();
}

/// The brokers themselves report that the old position is beyond the end.
#[test]
fn a_topic_that_was_created_again_and_is_shorter_is_read_from_its_beginning() {
    let (app, _redis) = recreate(3, Absence::Nothing);
    app.assert_at_rest();
}

#[test]
fn a_topic_that_is_created_again_before_the_eyes_of_a_worker_is_read_from_its_beginning() {
    for absence in [Absence::Brief, Absence::Gone] {
        let (app, _redis) = recreate(12, absence);
        app.assert_at_rest();
    }
}
