//! The HTTP API, in the forms of Segment (`/regulations`) and RudderStack (`/v2/regulations`,
//! `/deleteUsers`).
//!
//! Websites cannot use it: they cannot send the token without asking first (CORS), and are not
//! answered.

mod answer;
mod body;
mod problem;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};
use tower_http::catch_panic::CatchPanicLayer;

use super::logged::logged;
use super::regulation::Regulation;
use super::regulations::{RegulationOrder, Regulations};
use problem::DeletionProblem;
pub use token::ApiToken;

/// Bodies that are read at a time.
const BODIES: usize = 2;
/// How long a request waits until others are read.
const TURN: Duration = Duration::from_secs(5);
/// How long `/deleteUsers` waits until the users are deleted.
const DONE_WITHIN: Duration = Duration::from_secs(55);

/// The limits of requests.
#[derive(Debug, Clone, Copy)]
pub struct ApiLimits {
    /// Bytes of a body: `http.max_body`.
    pub max_body: usize,
    /// How long a body may take: `http.body_timeout`.
    pub body_timeout: Duration,
    /// Bytes of a user id: `transform.max_key`.
    pub max_key: usize,
}

/// The API of one worker.
pub struct RegulationApi {
    token: ApiToken,
    limits: ApiLimits,
    regulations: Regulations,
    reading: Semaphore,
}

impl RegulationApi {
    /// Hands what is asked for to `regulations`.
    pub fn new(token: ApiToken, limits: ApiLimits, regulations: Regulations) -> Self {
        Self { token, limits, regulations, reading: Semaphore::new(BODIES) }
    }

    /// The service for the serving loop.
    pub fn into_router(self) -> Router {
        let api = Arc::new(self);
        Router::new()
            .route("/regulations", post(of_segment))
            .route("/regulations/sources/{name}", post(of_source))
            .route("/regulations/{id}", get(shown_to_segment))
            .route("/v2/regulations", post(of_rudderstack))
            .route("/v2/regulations/{id}", get(shown_to_rudderstack).delete(lift))
            .route("/deleteUsers", post(delete_users))
            .method_not_allowed_fallback(|| async { DeletionProblem::MethodNotAllowed })
            .route_layer(from_fn_with_state(Arc::clone(&api), authorized))
            .fallback(|| async { DeletionProblem::NotFound })
            .layer(CatchPanicLayer::custom(|_| DeletionProblem::Panicked.into_response()))
            .with_state(api)
    }

    /// Keeps what the body of `request` asks for.
    async fn accept(
        &self,
        request: Request,
        parse: impl FnOnce(&[u8], usize) -> Result<RegulationOrder, body::BodyError>,
    ) -> Result<Regulation, DeletionProblem> {
        let (body, _reading) = self.read(request).await?;
        let order = parse(&body, self.limits.max_key)?;
        drop(body);
        self.keep(vec![order]).await?.pop().ok_or(DeletionProblem::Panicked)
    }

    async fn keep(&self, orders: Vec<RegulationOrder>) -> Result<Vec<Regulation>, DeletionProblem> {
        let kept = self.regulations.accept(orders).await.map_err(logged)?;
        for Regulation { id, kind, subjects, .. } in &kept {
            tracing::info!(regulation = id, ?kind, subjects, "a deletion request is accepted");
        }
        Ok(kept)
    }

    /// The body of a request, and a permit to hold while it is in memory.
    async fn read(
        &self,
        request: Request,
    ) -> Result<(Bytes, SemaphorePermit<'_>), DeletionProblem> {
        let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
        if !request.headers().get_all(header::CONTENT_ENCODING).iter().all(plain) {
            return Err(DeletionProblem::UnreadableBody);
        }
        let reading = timeout(TURN, self.reading.acquire());
        let Ok(Ok(reading)) = reading.await else { return Err(DeletionProblem::Busy) };
        let body: Limited<Body> = Limited::new(request.into_body(), self.limits.max_body);
        let body = timeout(self.limits.body_timeout, body.collect()).await;
        let body = body.map_err(|_| DeletionProblem::BodyTimeout)?.map_err(|error| {
            if error.is::<LengthLimitError>() {
                DeletionProblem::BodyTooLarge
            } else {
                DeletionProblem::UnreadableBody
            }
        })?;
        Ok((body.to_bytes(), reading))
    }

    async fn find(&self, id: &str) -> Result<Regulation, DeletionProblem> {
        let found = self.regulations.get(id).await.map_err(logged)?;
        found.ok_or(DeletionProblem::NoSuchRegulation)
    }
}

type Api = State<Arc<RegulationApi>>;
type ApiResult = Result<Response, DeletionProblem>;

async fn authorized(State(api): Api, request: Request, next: Next) -> ApiResult {
    if !api.token.admits(request.headers()) {
        return Err(DeletionProblem::Unauthorized);
    }
    Ok(next.run(request).await)
}

async fn of_segment(State(api): Api, request: Request) -> ApiResult {
    let regulation = api.accept(request, body::segment).await?;
    Ok(json(StatusCode::OK, answer::accepted(&regulation)))
}

async fn of_source(State(api): Api, Path(name): Path<String>, request: Request) -> ApiResult {
    if !api.regulations.has_source(&name) {
        return Err(DeletionProblem::UnknownSource);
    }
    let of_source = |body: &[u8], max_key| {
        let order = body::segment(body, max_key)?;
        Ok(RegulationOrder { sources: vec![name], ..order })
    };
    let regulation = api.accept(request, of_source).await?;
    Ok(json(StatusCode::OK, answer::accepted(&regulation)))
}

async fn shown_to_segment(State(api): Api, Path(id): Path<String>) -> ApiResult {
    Ok(json(StatusCode::OK, answer::state(&api.find(&id).await?)))
}

async fn of_rudderstack(State(api): Api, request: Request) -> ApiResult {
    let regulation = api.accept(request, body::rudderstack).await?;
    Ok(json(StatusCode::CREATED, answer::job(&regulation)))
}

async fn shown_to_rudderstack(State(api): Api, Path(id): Path<String>) -> ApiResult {
    Ok(json(StatusCode::OK, answer::job(&api.find(&id).await?)))
}

async fn lift(State(api): Api, Path(id): Path<String>) -> ApiResult {
    if !api.regulations.lift(&id).await.map_err(logged)? {
        return Err(DeletionProblem::NoSuchRegulation);
    }
    tracing::info!(regulation = id, "a suppression is lifted");
    Ok(json(StatusCode::OK, answer::job(&api.find(&id).await?)))
}

async fn delete_users(State(api): Api, request: Request) -> ApiResult {
    let (body, reading) = api.read(request).await?;
    let jobs = body::jobs(&body, api.limits.max_key)?;
    drop(body);
    let (ids, orders): (Vec<String>, Vec<RegulationOrder>) =
        jobs.into_iter().map(|job| (job.id, job.order)).unzip();
    let regulations = api.keep(orders).await?;
    drop(reading);
    let end = Instant::now() + DONE_WITHIN;
    let mut jobs = Vec::with_capacity(ids.len());
    for (id, regulation) in ids.into_iter().zip(regulations) {
        let ended = timeout_at(end, api.regulations.ended(&regulation.id)).await;
        jobs.push((id, ended.unwrap_or(Ok(None)).map_err(logged)?));
    }
    let (text, all) = answer::jobs(&jobs);
    Ok(json(if all { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }, text))
}

fn json(status: StatusCode, body: String) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body).into_response()
}
