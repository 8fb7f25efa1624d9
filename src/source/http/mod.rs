//! `POST /v1/{identify,track,page,screen,group,alias,batch}`: answered 200 once everything in the
//! request is safe.

mod answer;
mod auth;
mod bodies;
mod body;
mod count;
mod decode;
mod encoding;
mod live_keys;
mod paths;
mod problem;
mod receipts;
mod room;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Method, Request, Response};

use crate::config;
use crate::event::{self, Body, Elements, RejectReason, SplitError};
use crate::metrics::Metrics;
use crate::pipeline::{Ack, Busy, Intake, Message, NotAccepted, Origin, Outcome, Source, admit};
use crate::profile::Prefix;
use crate::server::{RequestTimer, Routes, WatchedBody, is_local};
use crate::trace::WorkSpan;

use bodies::Bodies;
use body::TURN;
use count::RequestCounts;
use encoding::Encoding;
pub use live_keys::LiveKeys;
use paths::PATHS;
use problem::Problem;
use receipts::Pending;

/// The HTTP source: what all requests share.
pub struct HttpSource {
    keys: LiveKeys,
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
    counts: RequestCounts,
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
            counts: RequestCounts::new(Arc::clone(&metrics)),
            metrics,
            bodies,
            wait: config.wait,
        }
    }

    /// The write keys, to be replaced while the source runs.
    pub fn keys(&self) -> LiveKeys {
        self.keys.clone()
    }

    /// The source as what a listener serves.
    pub fn into_routes(self) -> impl Routes {
        Arc::new(self)
    }

    /// Answers a request to the path at `route` of [`PATHS`]; returns the table of its headers once
    /// all is safe.
    async fn take(
        &self,
        route: Option<usize>,
        request: Request<WatchedBody>,
    ) -> Result<HeaderMap, Problem> {
        let (_, path_type) = PATHS[route.ok_or(Problem::NotFound)?];
        if request.method() != Method::POST {
            return Err(Problem::MethodNotAllowed);
        }
        let (mut head, body) = request.into_parts();
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
        let headers = answer::emptied(std::mem::take(&mut head.headers));
        drop(head);
        let timer = body.timer();
        let message = body::read(body, encoding, &self.bodies).await?;
        match event::split(message.bytes()) {
            Ok(Body::Event(_)) if path_type.is_none() => Err(Problem::MissingBatch),
            Ok(Body::Event(event)) => {
                let origin = Origin { path_type, ..origin };
                let events = Elements::one(event);
                let rejected = self.deliver(message, events, origin, &timer).await?;
                rejected.map_or(Ok(headers), |reason| Err(Problem::Rejected(reason)))
            }
            Ok(Body::Batch(events)) => {
                self.deliver(message, events, origin, &timer).await?;
                Ok(headers)
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
        timer: &RequestTimer,
    ) -> Result<Option<RejectReason>, Problem> {
        let (pending, receipts) = Pending::new(events.len());
        let received = Instant::now();
        let deadline = received + self.wait;
        let delivery = async {
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
        timer.timeout_at(deadline, delivery).await.unwrap_or(Err(Problem::Late))
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

impl Routes for Arc<HttpSource> {
    type Body = Full<Bytes>;

    async fn answer(self, request: Request<WatchedBody>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let route = PATHS.iter().position(|(known, _)| *known == path);
        let path = route.map_or("other", |at| PATHS[at].0);
        let span = WorkSpan::request(request.method(), path, request.headers());
        let taken = span.around(answer::or_panicked(self.take(route, request))).await;
        let response = taken.map_or_else(Problem::response, answer::ok);
        let status = response.status().as_u16();
        span.answered(status);
        self.counts.answered(route, status);
        tracing::debug!(path, status, "answered");
        response
    }
}
