//! `/api/tap`: decisions on events, as lines of JSON, until the client leaves.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde_json::json;

use crate::tap::{MAX_WATCHERS, NotWatched, Tap};

/// The route that shows what `tap` shows.
pub fn routes(tap: Arc<Tap>) -> Router {
    Router::new().route("/api/tap", get(watch)).with_state(tap)
}

async fn watch(State(tap): State<Arc<Tap>>) -> Response {
    let watch = match tap.watch() {
        Ok(watch) => watch,
        Err(why) => return refusal(why),
    };
    let lines = stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, Infallible>(line), watch))
    });
    let headers =
        [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(lines)).into_response()
}

fn refusal(why: NotWatched) -> Response {
    let (status, code, message) = match why {
        NotWatched::Off => (
            StatusCode::NOT_FOUND,
            "tap_off",
            "the tap of this worker is off: set admin.tap = \"redacted\" (or \"full\"), and start \
             it again"
                .to_owned(),
        ),
        NotWatched::TooMany => (
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_taps",
            format!("{MAX_WATCHERS} taps watch this worker already: end one of them"),
        ),
        NotWatched::Stopping => {
            (StatusCode::SERVICE_UNAVAILABLE, "stopping", "this worker is stopping".to_owned())
        }
    };
    let body = json!({ "code": code, "message": message }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
