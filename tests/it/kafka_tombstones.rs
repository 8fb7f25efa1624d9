//! Kafka records without a value, which delete their users or are skipped.

use rdkafka::message::Message as _;

use crate::harness::app::run;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::records::{NewRecord, headers, read, value, write};
use crate::harness::redis::Redis;
use crate::kafka_source::{identify, stored, wait_committed, worker};
use crate::replay_files::assert_ended;

const DELETE: &str = "kafka.tombstones=delete";

fn tombstone(key: &[u8]) -> NewRecord<'_> {
    NewRecord { key: Some(key), ..NewRecord::default() }
}

/// Order holds: what stands behind the tombstone is written, what stands before it is gone.
#[test]
fn a_record_without_a_value_deletes_the_user_that_is_its_key() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, dead) = (kafka.topic("tombstones", 1, &[]), kafka.topic("dead", 1, &[]));
    let group = unique("group");
    let events: Vec<String> =
        ["gone", "back", "kept", "a:{b} c"].map(|user| identify(user, 1)).into();
    let again = identify("back", 2);
    let mut records: Vec<NewRecord<'_>> =
        events.iter().map(|event| value(event.as_bytes())).collect();
    records.extend([b"gone".as_slice(), b"back", b"a:{b} c", b"never", b"string"].map(tombstone));
    records.push(value(again.as_bytes()));
    records.extend([b"".as_slice(), b" \t", b"\xff"].map(tombstone));
    let empty = NewRecord { key: Some(b"kept"), value: Some(b""), ..NewRecord::default() };
    records.extend([empty, NewRecord::default()]);
    redis.cli(&["SET", "user:string", "x"]);
    write(kafka, &topic, &records);
    let (to, dead_topic) = ("dead_letter.to=kafka", format!("dead_letter.topic={dead}"));
    let app = worker(kafka, &redis, &topic, &group, &[DELETE, to, &dead_topic]);
    wait_committed(kafka, &group, &topic);
    let found = ["gone", "back", "kept", "a:{b} c"].map(|user| stored(&redis, user));
    assert_eq!(found, [None, Some("2".into()), Some("1".into()), None]);
    let skipped = |reason: &str| {
        let series = format!("reason=\"{reason}\",source=\"kafka\"");
        app.metric("traitsink_events_skipped_total", &series)
    };
    // The empty value, and the record with neither key nor value.
    assert_eq!((skipped("blank_user_id"), skipped("empty")), (2.0, 2.0));
    assert_eq!(app.metric("traitsink_events_written_total", "kafka"), 9.0);
    assert_eq!(app.metric("traitsink_profiles_deleted_total", "by=\"tombstone\""), 4.0);
    let letters = read(kafka, &dead, 2);
    for (reason, key) in [("wrong_type", b"string".as_slice()), ("invalid_utf8", b"\xff")] {
        let reason = ("traitsink-reason".to_owned(), reason.to_owned());
        let letter = letters.iter().find(|letter| headers(letter).contains(&reason));
        let letter = letter.unwrap_or_else(|| panic!("{reason:?}"));
        assert_eq!((letter.key(), letter.payload()), (Some(key), None));
    }
    app.assert_at_rest();

    // Letters that are records without a value are replayed as such.
    redis.cli(&["DEL", "user:string"]);
    redis.cli(&["HSET", "user:string", "a", "1"]);
    let settings = [
        format!("redis.url=redis://127.0.0.1:{}", redis.port()),
        format!("data_dir={}", app.data_dir().display()),
        format!("kafka.bootstrap_servers={}", kafka.servers()),
        "kafka.topics=unread".to_owned(),
        DELETE.to_owned(),
        format!("kafka.group_id={group}"),
        to.to_owned(),
        dead_topic,
        DELETE.to_owned(),
    ];
    let mut args: Vec<&str> = settings.iter().flat_map(|one| ["-s", one.as_str()]).collect();
    args.extend(["replay", "--dead-letter-topic"]);
    assert_ended(&run(&args, b""), 65, ": 1 written, 0 skipped, 1 dead-lettered, 0 failed");
    assert_eq!(stored(&redis, "string"), None);
    let again = &read(kafka, &dead, 3)[2];
    assert_eq!((again.key(), again.payload()), (Some(&b"\xff"[..]), None));
}

#[test]
fn by_default_records_without_a_value_are_skipped() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("kept", 1, &[]), unique("group"));
    let event = identify("u", 1);
    write(kafka, &topic, &[value(event.as_bytes()), tombstone(b"u"), tombstone(b"\xff")]);
    let app = worker(kafka, &redis, &topic, &group, &[]);
    wait_committed(kafka, &group, &topic);
    assert_eq!(stored(&redis, "u").as_deref(), Some("1"));
    let empty = "reason=\"empty\",source=\"kafka\"";
    assert_eq!(app.metric("traitsink_events_skipped_total", empty), 2.0);
    app.assert_at_rest();
}
