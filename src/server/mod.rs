//! The serving loop of every HTTP listener: accepts every client, closes connections that stall or
//! that fall silent when there are too many, ends gracefully.

mod body;
mod connection;
mod crowd;
pub mod descriptors;
mod phase;
mod socket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::logging::Throttle;

use crowd::Crowd;
use phase::Phase;

/// What one listener grants its clients.
#[derive(Debug, Clone)]
pub struct Limits {
    /// At one more the client that is silent for longest gives way; while all are being answered,
    /// it waits.
    pub max_connections: usize,
    /// From the first byte of a request (on a new connection: from accepting it) to the end of its
    /// headers.
    pub header_timeout: Duration,
    /// How long a connection may stay open between two requests.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    /// For a listener that only operators reach.
    fn default() -> Self {
        Self {
            max_connections: 64,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
        }
    }
}

/// Serves `app` until `soft` is cancelled and every connection has ended, or until `hard` is
/// cancelled.
///
/// After `soft` nothing is accepted, idle connections are closed, and requests already begun are
/// still answered; `hard` drops what is left.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    let crowd = Crowd::new(limits.max_connections);
    let limits = Arc::new(limits);
    let connections = TaskTracker::new();
    let accepting = async {
        let mut backoff = Backoff::default();
        loop {
            let stream = backoff.accept(&listener, &crowd).await;
            crowd.room().await;
            let phase = Arc::new(Phase::new(Arc::clone(&limits)));
            let place = crowd.join(Arc::clone(&phase));
            let id = place.id;
            let connection = connection::run(stream, app.clone(), phase, soft.clone());
            let hard = hard.clone();
            let task = connections.spawn(async move {
                hard.run_until_cancelled_owned(connection).await;
                drop(place);
            });
            crowd.runs(id, task.abort_handle());
        }
    };
    soft.run_until_cancelled(hard.run_until_cancelled(accepting)).await;
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Clients can bring about a failure between each two connections.
static FAILURES: Throttle = Throttle::new(Duration::from_secs(10));

/// Pauses between failing accepts: without file descriptors `accept` fails at once, for as long as
/// none is freed.
#[derive(Default)]
struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(10);
    const LAST: Duration = Duration::from_secs(1);

    async fn accept(&mut self, listener: &TcpListener, crowd: &Crowd) -> TcpStream {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    self.0 = Duration::ZERO;
                    return stream;
                }
                Err(error) if is_clients_fault(&error) => {}
                Err(error) => {
                    self.0 = (self.0 * 2).clamp(Self::FIRST, Self::LAST);
                    // Without descriptors a silent client gives its own away.
                    crowd.evict();
                    if let Some(times) = FAILURES.admit(1) {
                        tracing::warn!(%error, times, "cannot accept connections");
                    }
                    tokio::time::sleep(self.0).await;
                }
            }
        }
    }
}

/// The connection ended before it was accepted; the listener is fine.
fn is_clients_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
