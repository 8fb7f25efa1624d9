//! `/api/tap`: decisions on events, as lines of JSON, until the client leaves.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;

use crate::tap::Tap;

use super::problem::AdminProblem;

/// The route that shows what `tap` shows.
pub(super) fn routes(tap: Arc<Tap>) -> Router {
    Router::new().route("/api/tap", get(watch)).with_state(tap)
}

async fn watch(State(tap): State<Arc<Tap>>) -> Result<Response, AdminProblem> {
    let watch = tap.watch().map_err(AdminProblem::NotWatched)?;
    let lines = stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, Infallible>(line), watch))
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(lines)).into_response())
}
