//! The answers of the admin listener.

use std::sync::Arc;

use serde_json::json;
use traitsink::admin::Admin;
use traitsink::metrics::Metrics;
use traitsink::readiness::Readiness;
use traitsink::redis::Class;
use traitsink::server::ListenerLimits;

use crate::raw_http::RawResponse;
use crate::server::TestServer;

struct Fixture {
    served: TestServer,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
}

impl Fixture {
    fn start() -> Self {
        let metrics = Arc::new(Metrics::new());
        let readiness = Arc::new(Readiness::new(["redis", "http"]));
        let admin = Admin::new(Arc::clone(&metrics), Arc::clone(&readiness));
        Self {
            served: TestServer::start(admin.into_router(), ListenerLimits::default()),
            metrics,
            readiness,
        }
    }

    fn request(&self, method: &str, path: &str) -> RawResponse {
        let mut client = self.served.client();
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
        if method == "HEAD" { client.response_to_head() } else { client.response() }.unwrap()
    }
}

#[test]
fn ready_names_every_part_it_waits_for() {
    let fixture = Fixture::start();
    fixture.readiness.waiting("redis", "connection refused; is Redis running there?");
    let response = fixture.request("GET", "/ready");
    assert_eq!(response.status, 503);
    assert_eq!(response.header("content-type"), Some("application/json"));
    let waiting_for = json!([
        {"part": "http", "reason": "starting"},
        {"part": "redis", "reason": "connection refused; is Redis running there?"},
    ]);
    assert_eq!(response.json(), json!({"ready": false, "waiting_for": waiting_for}));

    fixture.readiness.ready("redis");
    fixture.readiness.ready("http");
    let response = fixture.request("GET", "/ready");
    assert_eq!((response.status, response.json()), (200, json!({"ready": true})));
}

#[test]
fn live_does_not_depend_on_redis() {
    let fixture = Fixture::start();
    fixture.readiness.waiting("redis", "connection refused");
    assert_eq!(fixture.request("GET", "/live").status, 200);
}

#[test]
fn metrics_show_readiness_at_the_moment_of_the_scrape() {
    let fixture = Fixture::start();
    fixture.metrics.http_request("/v1/batch", 200).inc();
    let response = fixture.request("GET", "/metrics");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4"));
    let has = |response: &RawResponse, line: &str| response.text().lines().any(|l| l == line);
    assert!(has(&response, "traitsink_ready 0"));
    assert!(has(&response, r#"traitsink_http_requests_total{path="/v1/batch",status="200"} 1"#));
    fixture.readiness.ready("redis");
    fixture.readiness.ready("http");
    assert!(has(&fixture.request("GET", "/metrics"), "traitsink_ready 1"));
}

#[test]
fn only_get_and_head_are_answered() {
    let fixture = Fixture::start();
    for path in ["/", "/live", "/ready", "/metrics"] {
        let head = fixture.request("HEAD", path);
        assert_eq!(head.status, fixture.request("GET", path).status, "{path}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let response = fixture.request(method, path);
            assert_eq!(
                (response.status, response.header("allow")),
                (405, Some("GET,HEAD")),
                "{method} {path}"
            );
        }
    }
    assert_eq!(fixture.request("GET", "/debug").status, 404);
}

#[test]
fn every_class_of_redis_errors_is_a_series_from_the_start() {
    let text = Metrics::new().render();
    let series =
        |class: &str| format!("redis_errors_total{{class=\"{class}\",code=\"OTHER\"}} 0\n");
    let classes = Class::ALL.iter().map(|class| class.as_str());
    assert!(classes.clone().all(|class| text.contains(&series(class))), "{text}");
    assert_eq!(text.matches("code=\"OTHER\"").count(), classes.count());
}
