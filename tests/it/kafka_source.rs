//! The real worker reads topics of a real broker into Redis.

use std::time::Duration;

use nix::sys::signal::Signal;
use rdkafka::message::Message as _;

use crate::harness::app::App;
use crate::harness::eventually;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::records::{NewRecord, headers, read, value, write, write_to};
use crate::harness::redis::Redis;
use crate::harness::stream::fill;

pub(crate) const PARTITIONS: usize = 4;

/// A worker that reads `topic` as `group`; its HTTP source is on, too.
pub(crate) fn worker(
    kafka: &Kafka,
    redis: &Redis,
    topic: &str,
    group: &str,
    settings: &[&str],
) -> App {
    let servers = format!("kafka.bootstrap_servers={}", kafka.servers());
    let (topics, group) = (format!("kafka.topics={topic}"), format!("kafka.group_id={group}"));
    let mut all = vec![
        servers.as_str(),
        &topics,
        &group,
        "kafka.session_timeout=6s",
        "kafka.commit_interval=200ms",
    ];
    all.extend(settings);
    App::start(&format!("redis://127.0.0.1:{}", redis.port()), &all)
}

/// Waits until `group` has committed all of `topic`.
pub(crate) fn wait_committed(kafka: &Kafka, group: &str, topic: &str) {
    let ends: Vec<Option<i64>> =
        kafka.watermarks(topic).into_iter().map(|(_, end)| (end > 0).then_some(end)).collect();
    eventually("all records are committed", || kafka.committed(group, topic) == ends);
}

pub(crate) fn identify(user: &str, value: u32) -> String {
    format!(r#"{{"type":"identify","userId":"{user}","traits":{{"a":{value}}}}}"#)
}

/// The value of the field `a` in the hash of `user`.
pub(crate) fn stored(redis: &Redis, user: &str) -> Option<String> {
    let hash = redis.hgetall(&format!("user:{user}"));
    hash.get(&b"a"[..]).map(|value| String::from_utf8_lossy(value).into_owned())
}

#[test]
fn each_hash_is_the_fold_of_its_events() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("mixed", PARTITIONS as i32, &[]), unique("group"));
    let produced = fill(kafka, &topic, PARTITIONS, 5000, 200_000);
    let app = worker(kafka, &redis, &topic, &group, &[]);
    wait_committed(kafka, &group, &topic);
    assert_eq!(produced.differences(&redis), Vec::<String>::new());
    app.assert_at_rest();
    eventually("nothing is left to read", || {
        app.metric("traitsink_kafka_consumer_lag", &topic) == 0.0
    });
    assert_eq!(app.metric("traitsink_kafka_partitions_assigned", ""), 4.0);
    assert!(app.metric("traitsink_kafka_commits_total", "") > 0.0);
    assert!(
        app.metric("traitsink_events_skipped_total", "reason=\"empty\",source=\"kafka\"")
            == 20_000.0
    );
}

/// Each bad record stands between two good ones: none stalls the partition, and none is lost
/// without a count.
#[test]
fn bad_records_are_counted_and_their_neighbours_arrive() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("bad", 1, &[]), unique("group"));
    let large = format!(
        r#"{{"type":"identify","userId":"u","traits":{{"a":"{}"}}}}"#,
        "x".repeat(1_100_000)
    );
    let deep = format!(
        r#"{{"type":"identify","userId":"u","traits":{{"a":{}1{}}}}}"#,
        "{\"b\":".repeat(201),
        "}".repeat(201)
    );
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8];
    let avro = *b"\0\0\0\0\x07\x02u\x04ab";
    let (skipped, dead) = ("skipped", "dead_lettered");
    let bad: &[(Option<&[u8]>, &str, &str)] = &[
        (None, skipped, "empty"),
        (Some(b""), skipped, "empty"),
        (Some(b" \n"), dead, "invalid_json"),
        (Some(b"[]"), skipped, "empty"),
        (Some(b"{\"batch\":[]}"), skipped, "empty"),
        (Some(b"{\"type\":\"track\",\"userId\":\"u\"}"), skipped, "not_identify"),
        (
            Some(b"{\"type\":\"identify\",\"userId\":\" \",\"traits\":{\"a\":1}}"),
            skipped,
            "blank_user_id",
        ),
        (Some(b"{\"type\":\"identify\""), dead, "invalid_json"),
        (
            Some(b"{\"type\":\"identify\",\"userId\":\"u\",\"traits\":{\"a\":1}} x"),
            dead,
            "invalid_json",
        ),
        (Some(b"id,name\n1,x"), dead, "invalid_json"),
        (Some(b"\xff\xfe\x00\x80"), dead, "invalid_utf8"),
        (Some(&gzip), dead, "invalid_utf8"),
        (Some(&avro), dead, "invalid_json"),
        (Some(b"7"), dead, "not_an_object"),
        (Some(b"\"text\""), dead, "not_an_object"),
        (
            Some(b"{\"type\":\"identify\",\"userId\":\"u\",\"traits\":{\"a\":\"\xff\"}}"),
            dead,
            "invalid_utf8",
        ),
        (Some(large.as_bytes()), dead, "too_large"),
        (Some(deep.as_bytes()), dead, "too_deep"),
    ];
    let neighbours: Vec<String> = (0..=bad.len()).map(|n| identify(&format!("n{n}"), 1)).collect();
    let mut records = vec![value(neighbours[0].as_bytes())];
    for ((bad, ..), neighbour) in bad.iter().zip(&neighbours[1..]) {
        records.extend([
            NewRecord { value: *bad, ..NewRecord::default() },
            value(neighbour.as_bytes()),
        ]);
    }
    let offsets = write(kafka, &topic, &records);
    let app = worker(kafka, &redis, &topic, &group, &["dead_letter.breaker.consecutive=0"]);
    wait_committed(kafka, &group, &topic);
    for n in 0..=bad.len() {
        assert_eq!(
            stored(&redis, &format!("n{n}")).as_deref(),
            Some("1"),
            "the neighbour after {:?}",
            bad.get(n.wrapping_sub(1))
        );
    }
    assert_eq!(stored(&redis, "u"), None);
    for outcome in [skipped, dead] {
        for reason in bad.iter().filter(|row| row.1 == outcome).map(|row| row.2) {
            let expected = bad.iter().filter(|row| row.1 == outcome && row.2 == reason).count();
            let series = format!("reason=\"{reason}\",source=\"kafka\"");
            let counted = app.metric(&format!("traitsink_events_{outcome}_total"), &series);
            assert_eq!(counted, expected as f64, "{outcome} {reason}");
        }
    }
    let letters = app.dead_letters();
    let places = bad
        .iter()
        .zip(offsets.iter().skip(1).step_by(2))
        .filter(|((_, outcome, _), _)| *outcome == dead);
    let expected: Vec<_> =
        places.map(|((_, _, reason), offset)| (*reason, topic.as_str(), 0, *offset)).collect();
    let mut found: Vec<_> = letters
        .iter()
        .map(|letter| {
            let number = |name: &str| letter[name].as_i64().unwrap();
            (
                letter["reason"].as_str().unwrap(),
                letter["topic"].as_str().unwrap(),
                number("partition"),
                number("offset"),
            )
        })
        .collect();
    found.sort_by_key(|letter| letter.3);
    assert_eq!(found, expected);
    app.assert_at_rest();
}

#[test]
fn every_shape_holds_its_events() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("shapes", 1, &[]), unique("group"));
    let event = |user: &str| identify(user, 1);
    let list = format!("[{}, 7, {}]", event("l1"), event("l2"));
    let batch = format!(
        r#"{{"sentAt":"2026-01-01T00:00:00Z","batch":[{},{}]}}"#,
        event("b1"),
        identify("b1", 2)
    );
    let wrapped = format!(r#"{{"message":{}}}"#, event("w1"));
    let bare = event("e1");
    let records = [&bare, &list, &batch, &wrapped].map(|text| value(text.as_bytes()));
    write(kafka, &topic, &records);
    let app = worker(kafka, &redis, &topic, &group, &[]);
    wait_committed(kafka, &group, &topic);
    for (user, expected) in [("e1", "1"), ("l1", "1"), ("l2", "1"), ("b1", "2"), ("w1", "1")] {
        assert_eq!(stored(&redis, user).as_deref(), Some(expected), "{user}");
    }
    assert_eq!(app.metric("traitsink_events_received_total", "kafka"), 7.0);
    let letters = app.dead_letters();
    assert_eq!(
        (letters.len(), &letters[0]["event"], &letters[0]["offset"]),
        (1, &"7".into(), &1.into())
    );
}

#[test]
fn a_poison_record_goes_to_the_dead_letter_topic() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, dead, group) =
        (kafka.topic("poisoned", 1, &[]), kafka.topic("dead", 1, &[]), unique("group"));
    redis.cli(&["SET", "user:string", "x"]);
    let (before, refused, after) = (identify("p1", 1), identify("string", 1), identify("p2", 1));
    let poison = NewRecord {
        key: Some(b"the key"),
        value: Some(b"{\"type\":"),
        headers: &[("trace", "7"), ("trace", "8")],
    };
    let refused = NewRecord { key: Some(b"string"), ..value(refused.as_bytes()) };
    write(kafka, &topic, &[value(before.as_bytes()), poison, refused, value(after.as_bytes())]);
    let letters = ["dead_letter.to=kafka".to_owned(), format!("dead_letter.topic={dead}")];
    let app = worker(kafka, &redis, &topic, &group, &letters.each_ref().map(String::as_str));
    wait_committed(kafka, &group, &topic);
    assert_eq!(
        (stored(&redis, "p1").as_deref(), stored(&redis, "p2").as_deref()),
        (Some("1"), Some("1"))
    );

    let mut letters = read(kafka, &dead, 2);
    letters.sort_by_key(|letter| letter.key().map(<[u8]>::len));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let of = |n: usize| {
        headers(&letters[n])
            .into_iter()
            .filter(|(name, _)| name != "traitsink-timestamp")
            .collect::<Vec<_>>()
    };
    assert_eq!((letters[0].key(), letters[0].payload()), (refused.key, refused.value));
    assert_eq!(
        of(0),
        [
            header("traitsink-reason", "wrong_type"),
            header("traitsink-source", "kafka"),
            header("traitsink-key", "user:string"),
            header("traitsink-prefix", ""),
            header("traitsink-topic", &topic),
            header("traitsink-partition", "0"),
            header("traitsink-offset", "2"),
        ]
    );
    assert_eq!((letters[1].key(), letters[1].payload()), (poison.key, poison.value));
    assert_eq!(
        of(1)[..3],
        [header("trace", "7"), header("trace", "8"), header("traitsink-reason", "invalid_json")]
    );
    assert!(
        headers(&letters[1])
            .iter()
            .any(|(name, value)| name == "traitsink-timestamp" && value.parse::<i64>().is_ok())
    );
    app.assert_at_rest();
}

#[test]
fn a_dead_letter_that_cannot_be_written_holds_the_offset() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, dead, group) = (kafka.topic("held", 1, &[]), unique("dead"), unique("group"));
    let (before, after) = (identify("h1", 1), identify("h2", 1));
    write(kafka, &topic, &[value(before.as_bytes()), value(b"poison"), value(after.as_bytes())]);
    let letters = ["dead_letter.to=kafka".to_owned(), format!("dead_letter.topic={dead}")];
    let app = worker(kafka, &redis, &topic, &group, &letters.each_ref().map(String::as_str));
    eventually("the letter failed", || {
        app.log().iter().any(|line| line.contains("cannot write to the dead-letter topic"))
    });
    eventually("the good record before it is committed", || {
        kafka.committed(&group, &topic) == [Some(1)]
    });
    kafka.create_topic(&dead, 1, &[]);
    wait_committed(kafka, &group, &topic);
    assert_eq!(read(kafka, &dead, 1)[0].payload(), Some(&b"poison"[..]));
    assert_eq!(stored(&redis, "h2").as_deref(), Some("1"));
    app.assert_at_rest();
}

#[test]
fn a_full_dead_letter_file_holds_the_offset() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("full", 1, &[]), unique("group"));
    let (before, after) = (identify("f1", 1), identify("f2", 1));
    write(kafka, &topic, &[value(before.as_bytes()), value(b"poison"), value(after.as_bytes())]);
    let mut app = worker(kafka, &redis, &topic, &group, &["dead_letter.max_size=10B"]);
    eventually("the letter failed", || {
        app.log().iter().any(|line| line.contains("has reached dead_letter.max_size"))
    });
    eventually("the good record before it is committed", || {
        kafka.committed(&group, &topic) == [Some(1)]
    });
    app.signal(Signal::SIGTERM);
    app.wait(Duration::from_secs(30));
    assert_eq!(kafka.committed(&group, &topic), [Some(1)]);
    let _app = worker(kafka, &redis, &topic, &group, &[]);
    wait_committed(kafka, &group, &topic);
}

#[test]
fn the_breaker_stops_the_worker_before_the_topic_is_drained() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("wrong", 1, &[]), unique("group"));
    let good = identify("good", 1);
    write(kafka, &topic, &[value(good.as_bytes())]);
    let mut app = worker(kafka, &redis, &topic, &group, &["dead_letter.breaker.consecutive=100"]);
    // Otherwise the breaker may act before the first write to Redis, and nothing is committed.
    eventually("the good record is written", || stored(&redis, "good").is_some());
    write(kafka, &topic, &vec![value(b"wrong"); 3000]);
    assert_eq!(app.wait(Duration::from_secs(30)).code(), Some(65), "{}", app.log().join("\n"));
    assert!(app.log().iter().any(|line| line.contains("dead_letter.breaker")));
    let committed = kafka.committed(&group, &topic)[0].expect("an offset");
    let letters = app.dead_letters().len() as i64;
    assert!(
        (101..1500).contains(&committed) && committed == letters + 1,
        "{committed} committed, {letters} letters"
    );
}

#[test]
fn http_and_kafka_write_side_by_side() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("both", 1, &[]), unique("group"));
    write(kafka, &topic, &[value(identify("k", 1).as_bytes())]);
    let app = worker(kafka, &redis, &topic, &group, &["redis.prefix=all"]);
    wait_committed(kafka, &group, &topic);
    assert_eq!(app.client().post("/v1/identify", identify("h", 1)).unwrap().status, 200);
    for user in ["k", "h"] {
        assert_eq!(redis.hgetall(&format!("all:user:{user}")).len(), 1, "{user}");
    }
    for source in ["kafka", "http"] {
        assert_eq!(app.metric("traitsink_events_written_total", source), 1.0, "{source}");
    }
    app.assert_at_rest();
}

/// Large records of many partitions wait for Redis, and leave enough memory to continue.
#[test]
fn many_large_records_in_hand_leave_room() {
    let (kafka, mut redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("large", 12, &[]), unique("group"));
    let produced = fill_large(kafka, &topic, 12, 400_000);
    let small =
        ["delivery.max_in_flight=4MiB", "http.max_body=1MiB", "delivery.max_batch_bytes=1MiB"];
    redis.kill();
    let app = worker(kafka, &redis, &topic, &group, &small);
    eventually("Redis is known to be down", || {
        app.client().post("/v1/identify", identify("h", 1)).unwrap().status == 503
    });
    eventually("partitions wait", || app.metric("traitsink_kafka_partitions_paused", "") >= 10.0);
    redis.restart();
    wait_committed(kafka, &group, &topic);
    for user in produced {
        assert_eq!(redis.hgetall(&format!("user:{user}")).len(), 1, "{user}");
    }
    app.assert_at_rest();
}

/// Two records of `size` bytes for each partition; returns the users.
fn fill_large(kafka: &Kafka, topic: &str, partitions: i32, size: usize) -> Vec<String> {
    let mut users = Vec::new();
    for partition in 0..partitions {
        for number in 0..2 {
            let user = format!("large-{partition}-{number}");
            let event = format!(
                r#"{{"type":"identify","userId":"{user}","traits":{{"a":"{}"}}}}"#,
                "x".repeat(size)
            );
            write_to(kafka, topic, partition, &[value(event.as_bytes())]);
            users.push(user);
        }
    }
    users
}
