//! What a listener serves.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::Request;
use tower::ServiceExt as _;

use super::body::WatchedBody;

/// Answers the requests of a listener. Each request has a clone.
pub trait Routes: Clone + Send + Sync + 'static {
    /// The body of an answer.
    type Body: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync>
        + Send
        + Unpin
        + 'static;

    /// Answers one request.
    fn answer(
        self,
        request: Request<WatchedBody>,
    ) -> impl Future<Output = hyper::Response<Self::Body>> + Send;
}

impl Routes for Router {
    type Body = Body;

    async fn answer(self, request: Request<WatchedBody>) -> Response {
        match self.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
