//! Serves one connection, from its first byte to its last.

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

use super::activity::Activity;
use super::body::WatchedBody;
use super::response::WatchedResponse;
use super::socket::Socket;

/// Bytes of a request's head, and of a body that are read at once, at most. This is hyper's
/// minimum; every connection may hold it twice.
const BUFFER: usize = 8 * 1024;

/// Serves one client until it leaves or stalls; after `soft` was cancelled, until its request is
/// answered.
pub(super) async fn run(
    stream: TcpStream,
    app: Router,
    activity: Arc<Activity>,
    soft: CancellationToken,
) {
    // Responses are short and sent in one piece: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let service = {
        let activity = Arc::clone(&activity);
        service_fn(move |request: Request<Incoming>| {
            let (app, activity) = (app.clone(), Arc::clone(&activity));
            activity.request_began();
            let request = request.map(|body| WatchedBody::new(body, Arc::clone(&activity)));
            async move {
                let answer = app.oneshot(request).await;
                activity.request_ended();
                answer.map(|response| response.map(|body| WatchedResponse::new(body, activity)))
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
        .serve_connection(TokioIo::new(Socket::new(stream, Arc::clone(&activity))), service);
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
        while let Some(deadline) = activity.deadline() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            // A later deadline needs no new timer: the old one fires, and this loop checks again.
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
