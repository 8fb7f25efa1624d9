//! Serves one connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Due};
use super::body::WatchedBody;
use super::response::WatchedResponse;
use super::routes::Routes;
use super::socket::Socket;
use super::wakers::Wakers;

/// Bytes of a request's head, and of a body that are read at once, at most. This is hyper's
/// minimum; every connection may hold it twice.
const BUFFER: usize = 8 * 1024;

/// Serves one client until it leaves or stalls; after `soft` was cancelled, until its request is
/// answered; until `hard` is cancelled.
pub(super) async fn run<R: Routes>(
    stream: TcpStream,
    routes: R,
    activity: Arc<Activity>,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    // Responses are short and sent in one piece: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let service = {
        let activity = Arc::clone(&activity);
        service_fn(move |request: Request<Incoming>| {
            let activity = Arc::clone(&activity);
            activity.request_began();
            let request = request.map(|body| WatchedBody::new(body, Arc::clone(&activity)));
            let answer = routes.clone().answer(request);
            async move {
                let response = answer.await;
                activity.request_ended();
                Ok::<_, Infallible>(response.map(|body| WatchedResponse::new(body, activity)))
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
    let (mut stopping, mut ending) = (pin!(soft.cancelled()), pin!(hard.cancelled()));
    let mut stopped = false;
    let first = activity.deadline().map_or_else(Instant::now, |(deadline, _)| deadline);
    let mut alarm = pin!(sleep_until(first));
    let mut wakers: Option<Wakers> = None;
    poll_fn(|cx| {
        let wakers = match &mut wakers {
            Some(wakers) if wakers.are_of(cx) => wakers,
            wakers => wakers.insert(Wakers::new(cx.waker())),
        };
        let mut signals = wakers.signals();
        // Signals are rare, and asking for each of them takes a lock.
        let signalled = wakers.signalled();
        if signalled {
            if ending.as_mut().poll(&mut signals).is_ready() {
                return Poll::Ready(());
            }
            if !stopped && stopping.as_mut().poll(&mut signals).is_ready() {
                stopped = true;
                serving.as_mut().graceful_shutdown();
            }
        }
        if let Poll::Ready(result) = wakers.poll_serving(|cx| serving.as_mut().poll(cx)) {
            if let Err(error) = result {
                tracing::debug!(%error, "an HTTP connection ended early");
            }
            return Poll::Ready(());
        }
        while let Some((deadline, due)) = activity.deadline() {
            // A later deadline needs no new timer: the old one fires, and this loop checks again.
            let is_earlier = deadline < alarm.deadline() || alarm.is_elapsed();
            if !signalled && !is_earlier {
                break;
            }
            if deadline <= Instant::now() {
                match due {
                    Due::Close => return Poll::Ready(()),
                    Due::Answer => cx.waker().wake_by_ref(),
                }
                break;
            }
            if is_earlier {
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(&mut signals).is_pending() {
                break;
            }
        }
        Poll::Pending
    })
    .await;
}
