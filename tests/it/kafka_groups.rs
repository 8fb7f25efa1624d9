//! The topics and offsets that a consumer group reads, and the report of `check` about its brokers.

use std::time::Duration;

use rdkafka::message::Message as _;

use crate::harness::app::{App, run};
use crate::harness::eventually;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::records::{read, value, write};
use crate::harness::redis::Redis;
use crate::kafka_source::{identify, stored, wait_committed, worker};

#[test]
fn a_pattern_finds_topics_that_come_later() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (stem, group) = (unique("pattern"), unique("group"));
    let (first, second) = (format!("{stem}.a"), format!("{stem}.b"));
    kafka.create_topic(&first, 1, &[]);
    write(kafka, &first, &[value(identify("first", 1).as_bytes())]);
    let refresh = "kafka.librdkafka.topic.metadata.refresh.interval.ms=500";
    let app = worker(kafka, &redis, &format!("^{stem}\\..*"), &group, &[refresh]);
    eventually("the first topic is read", || stored(&redis, "first").is_some());
    kafka.create_topic(&second, 1, &[]);
    write(kafka, &second, &[value(identify("second", 1).as_bytes())]);
    eventually("the second topic is read", || stored(&redis, "second").is_some());
    assert_eq!(app.metric("traitsink_kafka_partitions_assigned", ""), 2.0);
}

/// The pattern matches the dead-letter topic, which must not be read.
#[test]
fn a_pattern_never_reads_the_dead_letters() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (stem, group) = (unique("loop"), unique("group"));
    let (events, dead) = (format!("{stem}.events"), format!("{stem}.dead"));
    for topic in [&events, &dead] {
        kafka.create_topic(topic, 1, &[]);
    }
    write(kafka, &events, &[value(b"poison"), value(identify("after", 1).as_bytes())]);
    let letters = ["dead_letter.to=kafka".to_owned(), format!("dead_letter.topic={dead}")];
    let app = worker(
        kafka,
        &redis,
        &format!("^{stem}\\..*"),
        &group,
        &letters.each_ref().map(String::as_str),
    );
    wait_committed(kafka, &group, &events);
    assert_eq!(read(kafka, &dead, 1)[0].payload(), Some(&b"poison"[..]));
    assert_eq!(app.metric("traitsink_kafka_partitions_assigned", ""), 1.0);
    assert_eq!(kafka.watermarks(&dead), [(0, 1)]);
}

#[test]
fn a_group_begins_where_it_is_told() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let topic = kafka.topic("begin", 1, &[]);
    write(kafka, &topic, &[value(identify("old", 1).as_bytes())]);
    let app = worker(kafka, &redis, &topic, &unique("group"), &["kafka.auto_offset_reset=latest"]);
    eventually("a partition is assigned", || {
        app.metric("traitsink_kafka_partitions_assigned", "") == 1.0
    });
    eventually("the end is known", || {
        write(kafka, &topic, &[value(identify("new", 1).as_bytes())]);
        stored(&redis, "new").is_some()
    });
    assert_eq!(stored(&redis, "old"), None);

    let mut app =
        worker(kafka, &redis, &topic, &unique("group"), &["kafka.auto_offset_reset=error"]);
    assert_eq!(app.wait(Duration::from_secs(30)).code(), Some(70), "{}", app.log().join("\n"));
    assert!(
        app.log().iter().any(|line| line.contains("choose earliest or latest")),
        "{}",
        app.log().join("\n")
    );
}

#[test]
fn a_member_without_partitions_is_ready_and_one_without_brokers_is_not() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("ready", 1, &[]), unique("group"));
    let members = [(), ()].map(|()| worker(kafka, &redis, &topic, &group, &[]));
    members.iter().for_each(App::wait_ready);
    let assigned = |app: &App| app.metric("traitsink_kafka_partitions_assigned", "");
    eventually("one worker has the partition", || members.iter().map(assigned).sum::<f64>() == 1.0);
    members.iter().for_each(App::wait_ready);

    let nowhere = ["kafka.bootstrap_servers=127.0.0.1:9"];
    let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), &nowhere);
    let reason = || {
        crate::harness::http::Client::new(app.admin)
            .get("/ready")
            .map(|answer| answer.text())
            .unwrap_or_default()
    };
    eventually("the reason is shown", || reason().contains("kafka.bootstrap_servers right?"));
    assert!(reason().contains("\"part\":\"kafka\""), "{}", reason());
    assert_eq!(
        app.client().post("/v1/identify", identify("h", 1)).unwrap().status,
        200,
        "HTTP still works"
    );
}

#[test]
fn a_missing_topic_is_waited_for() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (unique("late"), unique("group"));
    let app = worker(
        kafka,
        &redis,
        &topic,
        &group,
        &["kafka.librdkafka.topic.metadata.refresh.interval.ms=500"],
    );
    eventually("the missing topic is logged", || {
        app.log().iter().any(|line| line.contains("kafka-topics --create"))
    });
    assert!(!app.ready());
    kafka.create_topic(&topic, 1, &[]);
    write(kafka, &topic, &[value(identify("late", 1).as_bytes())]);
    eventually("the new topic is read", || stored(&redis, "late").is_some());
    app.wait_ready();
}

#[test]
fn check_reaches_brokers_and_says_all_that_is_missing() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("check", 3, &[]), unique("group"));
    let (url, servers) = (
        format!("redis.url=redis://127.0.0.1:{}", redis.port()),
        format!("kafka.bootstrap_servers={}", kafka.servers()),
    );
    let check = |settings: &[&str]| {
        let mut args = vec!["-s", &url, "-s", &servers, "-s", "data_dir=/tmp"];
        settings.iter().for_each(|setting| args.extend(["-s", setting]));
        let output = run(&[&args[..], &["check", "--connect"]].concat(), b"");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (topics, group) = (format!("kafka.topics={topic}"), format!("kafka.group_id={group}"));
    let letters = [
        "dead_letter.to=kafka".to_owned(),
        format!("dead_letter.topic={}", kafka.topic("dead", 1, &[])),
    ];
    let (code, found, _) = check(&[&topics, &group, &letters[0], &letters[1]]);
    assert_eq!(code, Some(0), "{found}");
    assert!(
        found.contains("Redis 7.") && found.contains(&format!("{topic}, 3 partitions")),
        "{found}"
    );

    let (code, _, said) =
        check(&["kafka.topics=nowhere", "dead_letter.to=kafka", "dead_letter.topic=no-letters"]);
    assert_eq!(code, Some(69), "{said}");
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("traitsink: kafka: ") && lines[0].contains("nowhere"), "{said}");
    assert!(
        lines[1].starts_with("traitsink: dead letters: ") && lines[1].contains("no-letters"),
        "{said}"
    );

    let (code, _, said) = check(&["kafka.librdkafka.no.such.property=1"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("no.such.property"), "{said}");
}
