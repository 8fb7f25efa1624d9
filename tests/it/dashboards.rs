//! The dashboards use only metrics that the program exports.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::harness::app::App;

/// Metrics that a worker without Kafka partitions does not export.
const PER_PARTITION: &[&str] = &["traitsink_kafka_consumer_lag"];

/// Collects every `expr` in `value`.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("expr").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| expressions(member, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| expressions(element, found)),
        _ => {}
    }
}

/// The metrics in an expression.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("traitsink_") || word.starts_with("process_"))
}

#[test]
fn every_metric_of_the_dashboards_is_exported() {
    let dashboards = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let mut found = Vec::new();
    let mut files = 0;
    for entry in std::fs::read_dir(dashboards).expect("dashboards") {
        let path = entry.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        expressions(
            &serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            &mut found,
        );
        files += 1;
    }
    let named: BTreeSet<&str> = found.iter().flat_map(|expression| metrics(expression)).collect();
    assert!(files >= 1 && named.len() >= 20, "{files} files name {} metrics", named.len());

    let app = App::start_with(&["redis.mode=embedded", "redis.embedded.listen=127.0.0.1:0"]);
    app.wait_ready();
    let text = app.metrics();
    let exported: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let missing: Vec<_> =
        named.difference(&exported).filter(|name| !PER_PARTITION.contains(name)).collect();
    assert!(missing.is_empty(), "not exported: {missing:?}");
}
