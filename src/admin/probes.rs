//! `/live`, `/ready` and `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;

use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// Readiness and metrics, which the probes and scrapes read.
struct Probes {
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
}

/// The routes that read `metrics` and `readiness`, and set `metrics.ready`.
pub(super) fn routes(metrics: Arc<Metrics>, readiness: Arc<Readiness>) -> Router {
    Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(render))
        .with_state(Arc::new(Probes { metrics, readiness }))
}

impl Probes {
    /// The parts that are not ready. Also sets the gauge, so that a scrape shows the moment it was
    /// made.
    fn waiting_for(&self) -> Vec<NotReadyPart> {
        let waiting = self.readiness.waiting_for();
        self.metrics.ready.set(waiting.is_empty().into());
        waiting.into_iter().map(|(part, reason)| NotReadyPart { part, reason }).collect()
    }
}

#[derive(Serialize)]
struct ReadyAnswer {
    ready: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting_for: Vec<NotReadyPart>,
}

#[derive(Serialize)]
struct NotReadyPart {
    part: &'static str,
    reason: String,
}

/// Answers as long as the process makes progress; whether Redis does is a matter of `/ready`.
async fn live() -> &'static str {
    "OK"
}

async fn ready(State(probes): State<Arc<Probes>>) -> impl IntoResponse {
    let waiting_for = probes.waiting_for();
    let ready = waiting_for.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&ReadyAnswer { ready, waiting_for })
        .expect("strings and a flag are valid JSON");
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}

async fn render(State(probes): State<Arc<Probes>>) -> impl IntoResponse {
    probes.waiting_for();
    ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], probes.metrics.render())
}
