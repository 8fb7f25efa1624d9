//! `POST /v1/{identify,track,page,screen,group,alias,batch}`: answered 200 once everything in the
//! request is safe.

mod auth;
mod bodies;
mod body;
mod count;
mod decode;
mod live_keys;
mod problem;
mod receipts;
mod room;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use axum::routing::post;
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config;
use crate::event::{self, Body, Elements, RejectReason, SplitError};
use crate::metrics::Metrics;
use crate::pipeline::{Ack, Busy, Intake, Message, NotAccepted, Origin, Outcome, Source, admit};
use crate::profile::Prefix;
use crate::server::is_local;

use bodies::Bodies;
use body::{Encoding, TURN};
pub use live_keys::LiveKeys;
use problem::Problem;
use receipts::Pending;

/// The paths, each with the type of its events; `None` is a batch, whose events name their types.
const PATHS: [(&str, Option<&str>); 7] = [
    ("/v1/identify", Some("identify")),
    ("/v1/track", Some("track")),
    ("/v1/page", Some("page")),
    ("/v1/screen", Some("screen")),
    ("/v1/group", Some("group")),
    ("/v1/alias", Some("alias")),
    ("/v1/batch", None),
];

/// The HTTP source: what all requests share.
pub struct HttpSource {
    keys: LiveKeys,
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
    bodies: Arc<Bodies>,
    wait: Duration,
}

impl HttpSource {
    /// `default_prefix` is `redis.prefix`; a write key may bring its own.
    pub fn new(
        config: &config::Http,
        default_prefix: &Prefix,
        intake: Arc<Intake>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let bodies = Bodies::new(intake.budget(), config.max_body, config.body_timeout);
        Self {
            keys: LiveKeys::new(&config.write_keys, default_prefix),
            intake,
            metrics,
            bodies,
            wait: config.wait,
        }
    }

    /// The write keys, to be replaced while the source runs.
    pub fn keys(&self) -> LiveKeys {
        self.keys.clone()
    }

    /// The source as a service for the serving loop.
    pub fn into_router(self) -> Router {
        let metrics = Arc::clone(&self.metrics);
        let mut router = Router::new();
        for (path, path_type) in PATHS {
            let answer = move |State(source): State<Arc<Self>>, request: Request| async move {
                source.answer(path_type, request).await
            };
            router = router.route(path, post(answer));
        }
        router
            .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
            .fallback(|| async { Problem::NotFound })
            .layer(CatchPanicLayer::custom(|_| Problem::Panicked.into_response()))
            .layer(axum::middleware::from_fn_with_state(metrics, count::requests))
            .with_state(Arc::new(self))
    }

    async fn answer(
        &self,
        path_type: Option<&'static str>,
        request: Request,
    ) -> Result<&'static str, Problem> {
        let (head, body) = request.into_parts();
        let keys = self.keys.current();
        if keys.is_empty() && !is_local(&head) {
            return Err(Problem::Foreign);
        }
        let grant = keys.grant(&head.headers).ok_or(Problem::Unauthorized)?;
        let origin = Origin {
            prefix: &grant.prefix,
            may_delete: grant.may_delete,
            gateway: grant.gateway,
            ..Origin::default()
        };
        let encoding = Encoding::of(&head.headers)?;
        // The head is freed before the body, which may take long: both may be equally large.
        drop(head);
        let message = body::read(body, encoding, &self.bodies).await?;
        match event::split(message.bytes()) {
            Ok(Body::Event(_)) if path_type.is_none() => Err(Problem::MissingBatch),
            Ok(Body::Event(event)) => {
                let origin = Origin { path_type, ..origin };
                let rejected = self.deliver(message, Elements::one(event), origin).await?;
                rejected.map_or(Ok("OK"), |reason| Err(Problem::Rejected(reason)))
            }
            Ok(Body::Batch(events)) => {
                self.deliver(message, events, origin).await?;
                Ok("OK")
            }
            Err(error) => {
                self.count_unsplittable(error);
                Err(Problem::Unsplittable(error))
            }
        }
    }

    /// Hands over `events`, which are parts of `message`, and waits until all are settled, at most
    /// [`config::Http::wait`] in all; returns why the first rejected one was rejected.
    async fn deliver(
        &self,
        message: Arc<Message>,
        mut events: Elements,
        origin: Origin<'_>,
    ) -> Result<Option<RejectReason>, Problem> {
        let (pending, receipts) = Pending::new(events.len());
        let delivery = async {
            let received = Instant::now();
            let origin = Origin { sent_at: events.sent_at(message.bytes()), ..origin };
            let (mut taken, mut turn) = (0, 0);
            while let Some(event) = events.next(message.bytes()) {
                turn += event.len();
                let ack = Ack::new(
                    Source::Http,
                    Arc::clone(&receipts),
                    taken as u64,
                    Arc::clone(&self.metrics),
                    received,
                );
                let offered = self.intake.accept(&message, event, origin, ack);
                self.push(offered, || taken > pending.settled()).await?;
                taken += 1;
                // A large batch must not keep other requests from this thread, nor its own deadline
                // from passing, whether its events are many or large.
                tokio::task::coop::consume_budget().await;
                if turn >= TURN {
                    turn = 0;
                    tokio::task::yield_now().await;
                }
            }
            drop(message);
            let outcome = pending.outcome().await;
            if outcome.failed { Err(Problem::Failed) } else { Ok(outcome.rejected) }
        };
        timeout(self.wait, delivery).await.unwrap_or(Err(Problem::Late))
    }

    /// Sees one event into its lane. Waits for room only while earlier events of the same request
    /// are `in_flight`, which will make some: requests that hold nothing but their bodies must not
    /// wait for each other.
    async fn push(
        &self,
        offered: Result<(), NotAccepted>,
        in_flight: impl Fn() -> bool,
    ) -> Result<(), Problem> {
        match admit(&self.intake, offered, |busy| busy == Busy::Full && in_flight()).await {
            Ok(()) => Ok(()),
            Err(NotAccepted::Rejected(reason, ack)) => {
                ack.settle(Outcome::Rejected(reason));
                Ok(())
            }
            Err(NotAccepted::Busy(busy, _)) => Err(Problem::Busy(busy)),
        }
    }

    /// A body that is no message counts as one rejected event; an empty batch holds none.
    fn count_unsplittable(&self, error: SplitError) {
        let reason = match error {
            SplitError::InvalidJson => RejectReason::InvalidJson,
            SplitError::NotAnObject | SplitError::BatchNotAList => RejectReason::NotAnObject,
            SplitError::EmptyBatch => return,
        };
        let (_, receipts) = Pending::new(1);
        Ack::new(Source::Http, receipts, 0, Arc::clone(&self.metrics), Instant::now())
            .settle(Outcome::Rejected(reason));
    }
}
