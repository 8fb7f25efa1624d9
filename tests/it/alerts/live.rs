//! A real Prometheus scrapes a worker with Kafka and TLS, under load; Redis is stopped and returns,
//! and a reload is refused.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::expression::sides;
use super::{read, rules};
use crate::dashboards::{Dashboard, dashboards};
use crate::harness::app::App;
use crate::harness::certs::Authority;
use crate::harness::eventually;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::load::{Load, OnError};
use crate::harness::pause;
use crate::harness::prometheus::Prometheus;
use crate::harness::records::{value, write};
use crate::harness::redis::Redis;

/// Alerts that a stopped Redis raises.
const RAISED: &[&str] = &["TraitsinkNotReady", "TraitsinkRedisDown"];

const EVENT: &[u8] = br#"{"type":"identify","userId":"k","traits":{"a":1},
    "originalTimestamp":"2026-01-01T00:00:00Z"}"#;

/// The alerts with `for: 1s` instead of minutes.
fn short(rules: &str) -> String {
    let line = |line: &str| match line.split_once("for: ") {
        Some((indent, _)) if indent.trim().is_empty() => format!("{indent}for: 1s\n"),
        _ => format!("{line}\n"),
    };
    rules.lines().map(line).collect()
}

/// An expression of a panel as Grafana sends it for all workers.
fn filled_in(expression: &str) -> String {
    expression.replace("$job", ".*").replace("$instance", ".*").replace("$__rate_interval", "1m")
}

/// Every expression of dashboards, records and alerts, and each side of an alert's comparisons.
fn expressions() -> Vec<String> {
    let panels = dashboards().iter().flat_map(Dashboard::expressions).collect::<Vec<_>>();
    let mut all: Vec<String> = panels.iter().map(|(_, found)| filled_in(found)).collect();
    for rule in rules() {
        match rule.alert {
            Some(_) => all.extend(sides(&rule.expression).into_iter().map(str::to_owned)),
            None => all.push(rule.expression),
        }
    }
    assert!(all.len() > 120, "only {} expressions", all.len());
    assert!(all.iter().all(|expression| !expression.contains('$')), "a variable is left: {all:?}");
    all
}

#[test]
fn every_expression_returns_data_and_faults_raise_and_clear_their_alerts() {
    let authority = Authority::new("private CA");
    let (dir, good) = (tempfile::tempdir().expect("a directory"), authority.ca_file());
    let ca_file = dir.path().join("ca.pem");
    std::fs::copy(&good, &ca_file).expect("a copy");
    let mut redis = Redis::builder().tls(&authority.server(&["127.0.0.1"])).start();
    let kafka = Kafka::shared();
    let topic = kafka.topic("watched", 1, &[]);
    let app = App::start(
        &format!("rediss://127.0.0.1:{}", redis.port()),
        &[
            &format!("redis.tls.ca_file={}", ca_file.display()),
            &format!("kafka.bootstrap_servers={}", kafka.servers()),
            &format!("kafka.topics={topic}"),
            &format!("kafka.group_id={}", unique("group")),
            "kafka.commit_interval=200ms",
            "delivery.retry_max=200ms",
            "http.wait=500ms",
        ],
    );
    app.wait_ready();
    let prometheus = Prometheus::start(app.admin, &short(&read("traitsink-alerts.yaml")));
    let load = Load::start(app.http, 2, 10, OnError::Retry);
    write(kafka, &topic, &[value(EVENT); 20]);
    eventually("the worker is scraped", || {
        prometheus.query("traitsink_ready == 1").is_ok_and(|found| !found.is_empty())
    });
    let quiet = |alert: &&str| !prometheus.fires(alert);
    assert!(RAISED.iter().all(quiet), "an alert fires without a cause");

    redis.kill();
    write(kafka, &topic, &[value(EVENT); 20]);
    for alert in RAISED {
        eventually(&format!("{alert} fires"), || prometheus.fires(alert));
    }
    redis.restart();
    for alert in RAISED {
        eventually(&format!("{alert} clears"), || quiet(alert));
    }

    let start = Instant::now();
    let mut left = expressions();
    while !left.is_empty() {
        left.retain(|expression| match prometheus.query(expression) {
            Ok(found) => found.is_empty(),
            Err(error) => panic!("{expression}: {error}"),
        });
        assert!(start.elapsed() < Duration::from_secs(60), "no data:\n{}", left.join("\n"));
        write(kafka, &topic, &[value(EVENT)]);
        pause();
    }
    load.stop();
    for rule in prometheus.rules() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    for alert in [
        "TraitsinkDown",
        "TraitsinkRestarting",
        "TraitsinkTlsUnverified",
        "TraitsinkCertificateNearEnd",
        "TraitsinkConfigReloadRefused",
    ] {
        assert!(quiet(&alert), "{alert} fires without a cause");
    }

    let refused = "TraitsinkConfigReloadRefused";
    std::fs::write(&ca_file, "no certificate").expect("writing");
    app.signal(Signal::SIGHUP);
    eventually(&format!("{refused} fires"), || prometheus.fires(refused));
    std::fs::copy(&good, &ca_file).expect("a copy");
    app.signal(Signal::SIGHUP);
    eventually(&format!("{refused} clears"), || quiet(&refused));
}
