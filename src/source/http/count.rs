//! Counts requests in `traitsink_http_requests_total`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::metrics::{HTTP_PATHS, Metrics};

/// Counts every response by path and status.
pub(super) async fn requests(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let path =
        HTTP_PATHS.iter().find(|&&path| path == request.uri().path()).copied().unwrap_or("other");
    let response = next.run(request).await;
    metrics.http_request(path, response.status().as_u16()).inc();
    tracing::debug!(path, status = response.status().as_u16(), "answered");
    response
}
