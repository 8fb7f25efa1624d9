//! `replay --dead-letter-topic`: letters of a topic, to its end as of the start.

use crate::harness::app::run;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::records::{NewRecord, headers, read, write};
use crate::harness::redis::Redis;
use crate::replay_files::{assert_ended, err};

#[test]
fn letters_are_replayed_once_and_what_fails_again_comes_behind_the_end() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (dead, group) = (kafka.topic("dead", 1, &[]), unique("group"));
    let data = tempfile::tempdir().unwrap();
    let typed = [("traitsink-source", "http"), ("traitsink-type", "identify")];
    let prefixed = [("trace", "7"), ("traitsink-source", "kafka"), ("traitsink-prefix", "team")];
    let letter = |user: &'static str, value: &'static str, headers| NewRecord {
        key: Some(user.as_bytes()),
        value: Some(value.as_bytes()),
        headers,
    };
    let b = r#"{"type":"identify","userId":"b","traits":{"n":2}}"#;
    write(
        kafka,
        &dead,
        &[
            letter("a", r#"{"userId":"a","traits":{"n":1}}"#, &typed),
            letter("b", b, &prefixed),
            letter("c", r#"{"type":"identify","userId":"c","traits":{"n":3}}"#, &[]),
        ],
    );
    redis.cli(&["SET", "team:user:b", "in the way"]);
    let settings = [
        format!("redis.url=redis://127.0.0.1:{}", redis.port()),
        format!("data_dir={}", data.path().display()),
        format!("kafka.bootstrap_servers={}", kafka.servers()),
        "kafka.topics=unread".to_owned(),
        format!("kafka.group_id={group}"),
        "dead_letter.to=kafka".to_owned(),
        format!("dead_letter.topic={dead}"),
    ];
    let replay = || {
        let mut args: Vec<&str> = settings.iter().flat_map(|one| ["-s", one.as_str()]).collect();
        args.extend(["replay", "--dead-letter-topic"]);
        run(&args, b"")
    };
    assert_ended(&replay(), 65, ": 2 written, 0 skipped, 1 dead-lettered, 0 failed");
    for (key, n) in [("user:a", "1"), ("user:c", "3")] {
        let found = redis.hgetall(key);
        assert_eq!(found.get(&b"n"[..]).map(Vec::as_slice), Some(n.as_bytes()), "{key}");
    }
    let again = &read(kafka, &dead, 4)[3];
    use rdkafka::Message as _;
    assert_eq!((again.key(), again.payload()), (Some(&b"b"[..]), Some(b.as_bytes())));
    let said = headers(again);
    let has = |name: &str, value: &str| said.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("trace", "7") && has("traitsink-prefix", "team"), "{said:?}");
    assert!(has("traitsink-reason", "wrong_type"), "{said:?}");
    assert_eq!(kafka.committed(&format!("{group}-replay"), &dead), [Some(3)]);

    redis.cli(&["DEL", "team:user:b"]);
    assert_ended(&replay(), 0, ": 1 written, 0 skipped, 0 dead-lettered, 0 failed");
    assert_eq!(redis.hgetall("team:user:b").get(&b"n"[..]).map(Vec::as_slice), Some(&b"2"[..]));
    let output = replay();
    assert_ended(&output, 0, ": 0 written");
    assert!(err(&output).contains("0 events"), "{}", err(&output));
}
