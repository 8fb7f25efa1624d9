//! One connection, from its first byte to its last.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::body::Watched;
use super::phase::Phase;
use super::socket::Socket;

/// Bytes of a request's head, and of what is read of a body at once, at most: the least that hyper
/// takes. Every connection may hold as much twice.
const BUFFER: usize = 8 * 1024;

/// Serves one client until it leaves, stalls, or has been answered after `soft` was cancelled.
pub(super) async fn run(
    stream: TcpStream,
    app: Router,
    phase: Arc<Phase>,
    soft: CancellationToken,
) {
    // Answers are short and whole: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let service = {
        let phase = Arc::clone(&phase);
        service_fn(move |request: Request<Incoming>| {
            let (app, phase) = (app.clone(), Arc::clone(&phase));
            phase.request_began();
            let request = request.map(|body| Watched::new(body, Arc::clone(&phase)));
            async move {
                let answer = app.oneshot(request).await;
                phase.request_ended();
                answer
            }
        })
    };
    // hyper's own header timeout also runs between two requests, where a client may be idle for
    // much longer.
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_header_size(BUFFER)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Socket::new(stream, Arc::clone(&phase))), service);
    let mut serving = pin!(serving);
    let mut stopping = pin!(soft.cancelled());
    let mut stopped = false;
    let mut alarm = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        if !stopped && stopping.as_mut().poll(cx).is_ready() {
            stopped = true;
            serving.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = serving.as_mut().poll(cx) {
            if let Err(error) = result {
                tracing::debug!(%error, "an HTTP connection ended early");
            }
            return Poll::Ready(());
        }
        while let Some(deadline) = phase.deadline() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            // A later deadline needs no new timer: the old one rings, and this loop looks again.
            if deadline < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                break;
            }
        }
        Poll::Pending
    })
    .await;
}
