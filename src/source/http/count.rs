//! Counts requests in `traitsink_http_requests_total`; each is a span.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::metrics::{HTTP_PATHS, Metrics};
use crate::trace::WorkSpan;

/// Counts every response by path and status.
pub(super) async fn requests(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let path =
        HTTP_PATHS.iter().find(|&&path| path == request.uri().path()).copied().unwrap_or("other");
    let span = WorkSpan::request(request.method(), path, request.headers());
    let response = span.around(next.run(request)).await;
    span.answered(response.status().as_u16());
    metrics.http_request(path, response.status().as_u16()).inc();
    tracing::debug!(path, status = response.status().as_u16(), "answered");
    response
}
