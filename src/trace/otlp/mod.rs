//! The spans, by OpenTelemetry's own crates and its names for attributes.

mod collector;
mod export;
mod settings;

use std::sync::OnceLock;

use futures_util::future::Either;
use hyper::{HeaderMap, Method};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    FutureExt, Link, SpanBuilder, SpanKind, Status, TraceContextExt, TraceState, Tracer,
};
use opentelemetry::{Key, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;

pub(super) use self::export::{Exporter, start};
pub(super) use opentelemetry::Context as Open;
pub(super) use opentelemetry::trace::SpanContext as Context;

/// A batch links to so many spans of its messages, at most.
const MAX_LINKS: usize = 32;

/// Set once there is a collector.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// A new span as a child of `parent`; `None` without a collector.
fn open(parent: &Open, build: impl FnOnce() -> SpanBuilder) -> Option<Open> {
    let tracer = TRACER.get()?;
    Some(parent.with_span(tracer.build_with_context(build(), parent)))
}

fn builder(name: impl Into<String>, kind: SpanKind, attributes: Vec<KeyValue>) -> SpanBuilder {
    SpanBuilder::from_name(name.into()).with_kind(kind).with_attributes(attributes)
}

/// A count as an attribute.
fn count(name: &'static str, count: usize) -> KeyValue {
    KeyValue::new(name, i64::try_from(count).unwrap_or(i64::MAX))
}

pub(super) fn request(method: &Method, route: &'static str, headers: &HeaderMap) -> Option<Open> {
    // Nothing is read from the headers without a collector.
    TRACER.get()?;
    let caller =
        TraceContextPropagator::new().extract_with_context(&Open::new(), &HeaderExtractor(headers));
    let parent = match caller.span().span_context() {
        one if one.is_valid() => Open::new().with_remote_span_context(without_state(one)),
        // A parent that is none would count as one that is not sampled.
        _ => Open::new(),
    };
    open(&parent, || {
        let known = [Method::POST, Method::GET, Method::OPTIONS, Method::HEAD, Method::PUT];
        let name = if known.contains(method) { method.as_str() } else { "_OTHER" };
        let mut attributes = vec![
            KeyValue::new("http.request.method", name.to_owned()),
            KeyValue::new("url.scheme", "http"),
        ];
        let name = if name == "_OTHER" { "HTTP" } else { name };
        // A path that is no route could hold anything.
        if route.starts_with('/') {
            attributes.push(KeyValue::new("http.route", route));
            builder(format!("{name} {route}"), SpanKind::Server, attributes)
        } else {
            builder(name, SpanKind::Server, attributes)
        }
    })
}

/// The same without `tracestate`: that is text of the caller's choice, and may be long.
fn without_state(caller: &Context) -> Context {
    let (trace, span) = (caller.trace_id(), caller.span_id());
    Context::new(trace, span, caller.trace_flags(), true, TraceState::NONE)
}

pub(super) fn burst(group: &str) -> Option<Open> {
    open(&Open::new(), || {
        let attributes = vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "poll"),
            KeyValue::new("messaging.operation.type", "receive"),
            KeyValue::new("messaging.consumer.group.name", group.to_owned()),
        ];
        builder("poll", SpanKind::Client, attributes)
    })
}

pub(super) fn batch<'a>(
    lane: usize,
    [events, keys]: [usize; 2],
    origins: impl Iterator<Item = &'a Context>,
) -> Option<Open> {
    open(&Open::new(), || {
        let mut linked: Vec<&Context> = Vec::new();
        for origin in origins {
            if linked.len() < MAX_LINKS && !linked.contains(&origin) {
                linked.push(origin);
            }
        }
        let attributes = vec![
            count("traitsink.lane", lane),
            count("traitsink.events", events),
            count("traitsink.keys", keys),
        ];
        let links = linked.into_iter().cloned().map(Link::with_context).collect();
        builder("batch", SpanKind::Internal, attributes).with_links(links)
    })
}

pub(super) fn redis_write(node: &str, writes: usize) -> Option<Open> {
    let parent = Open::current();
    // Only batches are written: there is no write without one.
    if !parent.has_active_span() {
        return None;
    }
    open(&parent, || {
        let operation = if writes == 1 { "HSET" } else { "PIPELINE HSET" };
        let mut attributes = vec![
            KeyValue::new("db.system.name", "redis"),
            KeyValue::new("db.operation.name", operation),
        ];
        match node.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
            Some((host, Ok(port))) => attributes.extend([
                KeyValue::new("server.address", host.trim_matches(['[', ']']).to_owned()),
                KeyValue::new("server.port", i64::from(port)),
            ]),
            // A Unix socket.
            _ => attributes.push(KeyValue::new("server.address", node.to_owned())),
        }
        if writes > 1 {
            attributes.push(count("db.operation.batch.size", writes));
        }
        builder(format!("{operation} {node}"), SpanKind::Client, attributes)
    })
}

pub(super) fn answered(open: Option<&Open>, status: u16) {
    let Some(open) = open else { return };
    open.span().set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    // What a client does wrong is no error of a server.
    if status >= 500 {
        open.span().set_attribute(KeyValue::new("error.type", status.to_string()));
        open.span().set_status(Status::error(""));
    }
}

pub(super) fn records(open: Option<&Open>, number: usize) {
    let Some(open) = open else { return };
    open.span().set_attribute(count("messaging.batch.message_count", number));
}

pub(super) fn failed(open: Option<&Open>, reason: &'static str) {
    let Some(open) = open else { return };
    open.span().set_attribute(KeyValue::new(Key::from_static_str("error.type"), reason));
    open.span().set_status(Status::error(""));
}

pub(super) fn around<F: Future>(
    open: Option<&Open>,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    match open {
        Some(open) => Either::Left(work.with_context(open.clone())),
        None => Either::Right(work),
    }
}

/// The current span, if it is to be sent.
pub(super) fn current() -> Option<Context> {
    TRACER.get()?;
    let context = Open::map_current(|open| open.span().span_context().clone());
    context.is_sampled().then_some(context)
}
