//! Spans of the worker's own work, sent to an OpenTelemetry collector.
//!
//! A *request* or a *burst* of Kafka records is a span; each message remembers it. A *batch* links
//! to the spans of its messages, and is the parent of the *writes* to Redis. Spans hold counts,
//! names of servers and reasons, and nothing of an event.
//!
//! Without the feature `otlp` every type here is empty and every function does nothing. With it,
//! they cost nearly nothing until [`start`] finds a collector in the environment.

#[cfg(feature = "otlp")]
mod otlp;

use hyper::{HeaderMap, Method};

/// A piece of work. The span ends when this is dropped.
#[must_use]
pub struct WorkSpan(#[cfg(feature = "otlp")] Option<otlp::Open>);

/// The span during which a message was received.
#[derive(Debug, Clone, Default)]
pub struct OriginSpan(#[cfg(feature = "otlp")] Option<otlp::Context>);

/// Sends spans until the process stops.
#[must_use]
pub struct SpanExport(#[cfg(feature = "otlp")] Option<otlp::Exporter>);

/// Begins to send spans to the collector that the environment names, if any. Logs where they go, or
/// what is wrong with the `OTEL_*` variables. Call it inside the runtime, once.
pub fn start() -> SpanExport {
    #[cfg(feature = "otlp")]
    return SpanExport(otlp::start());
    #[cfg(not(feature = "otlp"))]
    SpanExport()
}

impl SpanExport {
    /// Sends what is not sent yet. Takes a second at most, and nearly no time when the collector
    /// could not be reached before.
    pub async fn finish(self) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = self.0 {
            exporter.finish().await;
        }
    }
}

impl WorkSpan {
    /// A request to `route`, which is one of few; continues the trace of a `traceparent` header.
    pub fn request(method: &Method, route: &'static str, headers: &HeaderMap) -> Self {
        #[cfg(feature = "otlp")]
        return Self(otlp::request(method, route, headers));
        #[cfg(not(feature = "otlp"))]
        {
            let _ = (method, route, headers);
            Self()
        }
    }

    /// Records taken from Kafka in a row by a member of `group`. See also [`WorkSpan::within`].
    pub fn burst(group: &str) -> Self {
        #[cfg(feature = "otlp")]
        return Self(otlp::burst(group));
        #[cfg(not(feature = "otlp"))]
        {
            let _ = group;
            Self()
        }
    }

    /// One attempt of `lane` to write so many `events` to so many `keys`. Links to the spans of
    /// their messages.
    pub fn batch<'a>(
        lane: usize,
        events: usize,
        keys: usize,
        origins: impl Iterator<Item = &'a OriginSpan>,
    ) -> Self {
        #[cfg(feature = "otlp")]
        return Self(otlp::batch(lane, [events, keys], origins.filter_map(|one| one.0.as_ref())));
        #[cfg(not(feature = "otlp"))]
        {
            let _ = (lane, events, keys, origins);
            Self()
        }
    }

    /// So many `writes` sent at once to `node`, within the batch that is being written.
    pub fn redis_write(node: &str, writes: usize) -> Self {
        #[cfg(feature = "otlp")]
        return Self(otlp::redis_write(node, writes));
        #[cfg(not(feature = "otlp"))]
        {
            let _ = (node, writes);
            Self()
        }
    }

    /// The status of the answer to a request.
    pub fn answered(&self, status: u16) {
        #[cfg(feature = "otlp")]
        otlp::answered(self.0.as_ref(), status);
        #[cfg(not(feature = "otlp"))]
        let _ = status;
    }

    /// The number of records of a burst.
    pub fn records(&self, count: usize) {
        #[cfg(feature = "otlp")]
        otlp::records(self.0.as_ref(), count);
        #[cfg(not(feature = "otlp"))]
        let _ = count;
    }

    /// The work failed, for a `reason` that is one of few.
    pub fn failed(&self, reason: &'static str) {
        #[cfg(feature = "otlp")]
        otlp::failed(self.0.as_ref(), reason);
        #[cfg(not(feature = "otlp"))]
        let _ = reason;
    }

    /// `work` as a part of this span: messages that are received in it remember the span, and
    /// writes are its children.
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> {
        #[cfg(feature = "otlp")]
        return otlp::around(self.0.as_ref(), work);
        #[cfg(not(feature = "otlp"))]
        work
    }

    /// [`WorkSpan::around`] for work that does not wait.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        #[cfg(feature = "otlp")]
        let _entered = self.0.clone().map(otlp::Open::attach);
        work()
    }
}

impl OriginSpan {
    /// The span whose work is being done.
    pub fn current() -> Self {
        #[cfg(feature = "otlp")]
        return Self(otlp::current());
        #[cfg(not(feature = "otlp"))]
        Self()
    }
}
