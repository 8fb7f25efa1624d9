//! The dashboards: metrics that exist, panels that explain themselves, Grafana's schema.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::alerts::rules;
use crate::harness::app::App;
use crate::harness::schemas;

/// Metrics that a worker without Kafka partitions and without TLS does not export.
const NOT_EVERYWHERE: &[&str] =
    &["traitsink_certificate_expiry_timestamp_seconds", "traitsink_kafka_consumer_lag"];

/// Words in an expression that are names of records or of metrics.
const PREFIXES: &[&str] = &["traitsink_", "process_"];

pub(crate) fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

/// A dashboard and its file.
pub(crate) struct Dashboard {
    pub(crate) path: PathBuf,
    pub(crate) json: Value,
}

impl Dashboard {
    /// All panels but the titles of rows.
    pub(crate) fn panels(&self) -> impl Iterator<Item = &Value> {
        let panels = self.json["panels"].as_array().expect("panels");
        panels.iter().filter(|panel| panel["type"] != "row")
    }

    /// The expressions of all panels, each behind the title of its panel.
    pub(crate) fn expressions(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for panel in self.panels() {
            let title = panel["title"].as_str().expect("a title");
            for target in panel["targets"].as_array().expect("targets") {
                let expression = target["expr"].as_str().expect("an expression");
                found.push((title.to_owned(), expression.to_owned()));
            }
        }
        found
    }
}

pub(crate) fn dashboards() -> Vec<Dashboard> {
    let mut found: Vec<Dashboard> = Vec::new();
    for entry in std::fs::read_dir(dir()).expect("dashboards") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let json = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.push(Dashboard { path, json });
        }
    }
    assert_eq!(found.len(), 2, "dashboards");
    found
}

/// The metrics in an expression, histograms by their own name.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
    words
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
        .map(|word| word.strip_suffix("_bucket").unwrap_or(word))
}

/// The name of a metric in the reference: without the suffix of a histogram's series.
fn plain(name: &str) -> &str {
    let name = name.strip_suffix("_sum").unwrap_or(name);
    name.strip_suffix("_count").unwrap_or(name)
}

#[test]
fn every_metric_of_dashboards_and_rules_is_exported() {
    let mut named = BTreeSet::new();
    let expressions: Vec<String> = dashboards()
        .iter()
        .flat_map(Dashboard::expressions)
        .map(|(_, expression)| expression)
        .chain(rules().into_iter().map(|rule| rule.expression))
        .collect();
    for expression in &expressions {
        named.extend(metrics(expression).map(plain));
    }
    assert!(named.len() >= 30, "{named:?}");

    let app = App::start_with(&["redis.mode=embedded", "redis.embedded.listen=127.0.0.1:0"]);
    app.wait_ready();
    let text = app.metrics();
    let exported: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let missing: Vec<_> =
        named.difference(&exported).filter(|name| !NOT_EVERYWHERE.contains(name)).collect();
    assert!(missing.is_empty(), "not exported: {missing:?}");
}

#[test]
fn every_metric_is_on_a_panel() {
    let all = dashboards();
    let expressions: Vec<(String, String)> = all.iter().flat_map(Dashboard::expressions).collect();
    let shown: BTreeSet<&str> =
        expressions.iter().flat_map(|(_, expression)| metrics(expression).map(plain)).collect();
    let reference = std::fs::read_to_string(dir().join("../docs/metrics.md")).expect("metrics.md");
    let rows = reference.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let (mut seen, mut missing) = (0, Vec::new());
    for name in rows {
        seen += 1;
        if !shown.contains(name) {
            missing.push(name);
        }
    }
    assert!(seen >= 35, "only {seen} metrics in the reference");
    assert!(missing.is_empty(), "on no panel: {missing:?}");
}

#[test]
fn every_panel_explains_itself_and_follows_the_variables() {
    let mut wrong = Vec::new();
    for dashboard in dashboards() {
        let variables = dashboard.json["templating"]["list"].as_array().expect("variables");
        let names: Vec<&Value> = variables.iter().map(|variable| &variable["name"]).collect();
        assert_eq!(names[..3], ["datasource", "job", "instance"], "{}", dashboard.path.display());
        let mut ids = BTreeSet::new();
        for panel in dashboard.json["panels"].as_array().expect("panels") {
            assert!(ids.insert(panel["id"].as_u64()), "two panels have one id: {panel}");
        }
        for panel in dashboard.panels() {
            let (title, defaults) = (&panel["title"], &panel["fieldConfig"]["defaults"]);
            let says = |text: &Value| text.as_str().is_some_and(|text| !text.is_empty());
            let targets = panel["targets"].as_array().expect("targets");
            let follows = targets.iter().all(|target| {
                let expression = target["expr"].as_str().unwrap_or_default();
                expression.starts_with("vector(")
                    || expression.contains("{job=~\"$job\",instance=~\"$instance\"")
            });
            let source = |part: &Value| part["datasource"]["uid"] == "${datasource}";
            let right = says(title)
                && says(&panel["description"])
                && says(&defaults["unit"])
                && targets.iter().all(|target| says(&target["legendFormat"]) && source(target))
                && source(panel)
                && follows;
            if !right {
                wrong.push(format!("{}: {title}", dashboard.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn panels_do_not_overlap() {
    for dashboard in dashboards() {
        let mut taken = BTreeSet::new();
        for panel in dashboard.json["panels"].as_array().expect("panels") {
            let side = |name: &str| panel["gridPos"][name].as_u64().expect("a number");
            assert!(side("x") + side("w") <= 24, "too wide: {}", panel["title"]);
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(taken.insert((x, y)), "two panels at {x}, {y}: {}", panel["title"]);
                }
            }
        }
    }
}

#[test]
fn grafana_knows_every_part_of_the_dashboards() {
    let files: Vec<PathBuf> = dashboards().into_iter().map(|dashboard| dashboard.path).collect();
    schemas::check("dashboard", &files);

    // The check sees what is wrong.
    let text = std::fs::read_to_string(&files[0]).expect("readable");
    let wrong = tempfile::tempdir().expect("a temporary directory");
    let path = wrong.path().join("wrong.json");
    std::fs::write(&path, text.replacen("\"list\", \"placement\"", "\"lists\", \"placement\"", 1))
        .expect("writing");
    let found = schemas::faults("dashboard", &[path]);
    assert!(found.contains("\"lists\"") && found.lines().count() == 1, "{found}");
}
