//! Recording rules and alerts: Prometheus's own tool, their sections in the documents, and a real
//! Prometheus that scrapes a real worker.

mod expression;
#[cfg(feature = "kafka")]
mod live;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::dashboards::dir;
use crate::harness::{prometheus_program, yaml};

/// A recording rule or an alert.
pub(crate) struct Rule {
    /// `None` for a recording rule.
    pub(crate) alert: Option<String>,
    pub(crate) expression: String,
    json: Value,
}

fn read(name: &str) -> String {
    std::fs::read_to_string(dir().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn rules() -> Vec<Rule> {
    let file = yaml(&read("traitsink-alerts.yaml"));
    let groups = file["groups"].as_array().expect("groups");
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules"));
    let read = |rule: &Value| Rule {
        alert: rule["alert"].as_str().map(str::to_owned),
        expression: rule["expr"].as_str().expect("an expression").to_owned(),
        json: rule.clone(),
    };
    rules.map(read).collect()
}

fn alerts() -> Vec<(String, Value)> {
    let alerts: Vec<(String, Value)> =
        rules().into_iter().filter_map(|rule| Some((rule.alert?, rule.json))).collect();
    assert!(alerts.len() >= 20, "{} alerts", alerts.len());
    alerts
}

fn promtool(args: &[&str]) -> String {
    let output = Command::new(prometheus_program("promtool"))
        .args(args)
        .current_dir(dir())
        .output()
        .expect("promtool");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "promtool {args:?}:\n{text}");
    text
}

#[test]
fn promtool_accepts_the_rules() {
    let text = promtool(&["check", "rules", "--lint-fatal", "traitsink-alerts.yaml"]);
    assert!(text.contains(&format!("{} rules found", rules().len())), "{text}");
}

#[test]
fn each_alert_fires_and_stays_quiet_in_its_test() {
    promtool(&["test", "rules", "traitsink-alerts.test.yaml"]);

    let file = yaml(&read("traitsink-alerts.test.yaml"));
    let mut expected = BTreeSet::new();
    for test in file["tests"].as_array().expect("tests") {
        for case in test["promql_expr_test"].as_array().into_iter().flatten() {
            let expression = case["expr"].as_str().expect("an expression");
            let name =
                expression.split("alertname=\"").nth(1).and_then(|rest| rest.split('"').next());
            let firing = case["exp_samples"][0]["value"] == 1;
            expected.extend(name.map(|name| (name.to_owned(), firing)));
        }
    }
    for (name, _) in alerts() {
        for firing in [true, false] {
            assert!(expected.contains(&(name.clone(), firing)), "no test: {name}, firing {firing}");
        }
    }
}

#[test]
fn each_alert_says_what_to_do_and_has_its_section() {
    let text = read("traitsink-alerts.yaml");
    let base =
        text.split("runbook_url begins with ").nth(1).and_then(|rest| rest.split(' ').next());
    let base = base.expect("the base of the addresses");
    let document = read("../docs/operations.md");
    let section = |name: &str| {
        let heading = format!("\n### {name}\n");
        let rest = document.split(&heading).nth(1)?;
        Some(rest.split("\n#").next().unwrap_or(rest).to_owned())
    };
    let mut names = BTreeSet::new();
    for (name, alert) in alerts() {
        let (annotations, severity) = (&alert["annotations"], &alert["labels"]["severity"]);
        assert!(["critical", "warning", "info"].map(Value::from).contains(severity), "{name}");
        let summary = annotations["summary"].as_str().unwrap_or_default();
        assert!(summary.contains(": ") && summary.ends_with('.'), "{name}: {summary}");
        let address = format!("{base}docs/operations.md#{}", name.to_lowercase());
        assert_eq!(annotations["runbook_url"], address.as_str());
        let section = section(&name).unwrap_or_else(|| panic!("no section for {name}"));
        for part in ["- **It means:** ", "- **Look at:** ", "- **Do:** "] {
            assert!(section.contains(part), "{name} has no {part:?}");
        }
        assert!(names.insert(name), "two alerts of one name");
    }
    let sections = document.lines().filter_map(|line| line.strip_prefix("### Traitsink"));
    let unknown: Vec<_> =
        sections.filter(|name| !names.contains(&format!("Traitsink{name}"))).collect();
    assert!(unknown.is_empty(), "sections without an alert: {unknown:?}");
}
