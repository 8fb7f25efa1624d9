//! `/api/status`: what the worker is doing now.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::status::Status;

/// The route.
pub(super) fn routes(status: Arc<Status>) -> Router {
    Router::new().route("/api/status", get(report)).with_state(status)
}

async fn report(State(status): State<Arc<Status>>) -> impl IntoResponse {
    let body = serde_json::to_string(&status.report().await).expect("texts and numbers are JSON");
    ([(header::CONTENT_TYPE, "application/json")], body)
}
