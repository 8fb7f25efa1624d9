//! Files that are written from the program itself: the default configuration, and the references of
//! keys and metrics. `UPDATE=1 cargo test --test it generated::` writes them anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use traitsink::config::{default_file, reference};
use traitsink::metrics::{Metrics, TLS_CLIENTS};

/// Compares a file with what it must hold, or writes it.
fn is_current(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let same = found == expected;
    assert!(same, "{} is out of date: run with UPDATE=1", path.display());
}

#[test]
fn the_default_configuration_is_current() {
    is_current("deploy/traitsink.toml", &default_file());
}

#[test]
fn the_reference_of_keys_is_current() {
    is_current("docs/configuration.md", &reference());
}

#[test]
fn the_reference_of_metrics_is_current() {
    let metrics = Metrics::new();
    // Series of these families appear with the first value.
    metrics.redis_up("redis-1:6379", "master");
    metrics.redis_reconnects("redis-1:6379");
    metrics.kafka.set_lag("events", 0, 0);
    TLS_CLIENTS.iter().for_each(|client| metrics.set_certificate_end(client, Some(0)));
    is_current("docs/metrics.md", &reference_of_metrics(&metrics.render()));
}

/// A family of metrics, as far as its text says.
#[derive(Default)]
struct Family {
    help: String,
    kind: String,
    /// Values of each label, in the order in which the labels are first met.
    labels: Vec<(String, Vec<String>)>,
}

/// A table of all families in the Prometheus text `rendered`.
fn reference_of_metrics(rendered: &str) -> String {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in rendered.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) {
            families.entry(name.into()).or_default().help = help.into();
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' '))
        {
            families.entry(name.into()).or_default().kind = kind.into();
        } else {
            let series = line.rsplit_once(' ').unwrap().0;
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|end| name.strip_suffix(end))
                .find(|name| families.get(*name).is_some_and(|family| family.kind == "histogram"))
                .unwrap_or(name);
            let family = families.get_mut(family).unwrap();
            for label in labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty()) {
                let (label, value) = label.split_once('=').unwrap();
                if label != "le" {
                    add(&mut family.labels, label, value.trim_matches('"'));
                }
            }
        }
    }
    let mut text = String::from(HEADER);
    for (name, family) in families {
        let labels = family.labels.iter().map(|(label, values)| match closed(label) {
            true => format!("`{label}`: {}", values.join(", ")),
            false => format!("`{label}`"),
        });
        let labels = labels.collect::<Vec<_>>().join("; ");
        writeln!(text, "| `{name}` | {} | {labels} | {} |", family.kind, family.help).unwrap();
    }
    text
}

const HEADER: &str = "\
# Metrics

Which series `/metrics` of the admin listener has, and what they count. This page is generated from
the program. All series whose labels take a closed set of values are there from the start, at 0.

| Name | Type | Labels | Meaning |
|---|---|---|---|
";

/// Whether the values of a label are known beforehand.
fn closed(label: &str) -> bool {
    !["node", "role", "topic", "partition", "version", "revision", "rustc"].contains(&label)
}

fn add(labels: &mut Vec<(String, Vec<String>)>, label: &str, value: &str) {
    let at = labels.iter().position(|(known, _)| known == label).unwrap_or_else(|| {
        labels.push((label.to_owned(), Vec::new()));
        labels.len() - 1
    });
    if !labels[at].1.iter().any(|known| known == value) {
        labels[at].1.push(value.to_owned());
    }
}
