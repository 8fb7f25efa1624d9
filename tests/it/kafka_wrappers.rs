//! Topics whose events are in lists and wrappers, or have no type.

use serde_json::json;

use crate::harness::eventually;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::records::{value, write};
use crate::harness::redis::Redis;
use crate::kafka_source::{wait_committed, worker};

fn identify(user: &str) -> String {
    format!(r#"{{"type":"identify","userId":"{user}","traits":{{"a":1}}}}"#)
}

#[test]
fn wrappers_are_opened() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("wrappers", 1, &[]), unique("group"));
    let text = |user: &str| serde_json::to_string(&identify(user)).unwrap();
    let cut = r#"{"message":"{\"type\":\"identify\",\"userId\":"}"#;
    let values = [
        format!(r#"{{"message":{}}}"#, text("text")),
        format!(r#"{{"schema":{{"type":"struct"}},"payload":{}}}"#, identify("connect")),
        format!(r#"{{"schema":{{"type":"string"}},"payload":{}}}"#, text("connect-text")),
        format!(
            r#"{{"specversion":"1.0","type":"com.example","id":"1","data":{}}}"#,
            identify("cloud")
        ),
        format!(
            r#"[{{"message":{}}} {{"schema":null,"payload":{}}},,7,]"#,
            identify("first"),
            text("second")
        ),
        format!(r#"{{"batch":[{}{}]}}"#, identify("comma"), identify("missing")),
        cut.to_owned(),
        r#"{"userId":"untyped","traits":{"a":1}}"#.to_owned(),
        "[,]".to_owned(),
    ];
    let records: Vec<_> = values.iter().map(|text| value(text.as_bytes())).collect();
    write(kafka, &topic, &records);
    let app = worker(kafka, &redis, &topic, &group, &[]);
    wait_committed(kafka, &group, &topic);
    for user in ["text", "connect", "connect-text", "cloud", "first", "second", "comma", "missing"]
    {
        assert_eq!(redis.hgetall(&format!("user:{user}")).len(), 1, "{user}");
    }
    let letters: Vec<_> = app
        .dead_letters()
        .iter()
        .map(|letter| json!([letter["reason"], letter["event"]]))
        .collect();
    assert_eq!(
        letters,
        [json!(["not_an_object", "7"]), json!(["invalid_json", cut])],
        "each as it was sent"
    );
    assert_eq!(
        app.metric("traitsink_events_skipped_total", "reason=\"no_type\",source=\"kafka\""),
        1.0
    );
    assert_eq!(
        app.metric("traitsink_events_skipped_total", "reason=\"empty\",source=\"kafka\""),
        1.0
    );
    app.assert_at_rest();
}

#[test]
fn one_warning_says_how_a_topic_without_types_is_wrapped() {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let (topic, group) = (kafka.topic("untyped", 1, &[]), unique("group"));
    let wrapped = r#"{"op":"c","after":{"type":"identify"},"jane@example.com":1,"before":null}"#;
    let records: Vec<_> = (0..250).map(|_| value(wrapped.as_bytes())).collect();
    write(kafka, &topic, &records);
    let app = worker(kafka, &redis, &topic, &group, &[]);
    wait_committed(kafka, &group, &topic);
    let warnings =
        || app.log().into_iter().filter(|line| line.contains("have no `type`")).collect::<Vec<_>>();
    eventually("the warning", || !warnings().is_empty());
    let warnings = warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains(&topic) && warnings[0].contains("before, after"), "{warnings:?}");
    assert!(!app.log().iter().any(|line| line.contains("jane")), "names may be personal");
    assert_eq!(
        app.metric("traitsink_events_skipped_total", "reason=\"no_type\",source=\"kafka\""),
        250.0
    );
    app.assert_at_rest();
}
