//! The serving loop of every HTTP listener. It accepts every client, closes connections that stall,
//! closes silent ones when there are too many, and ends gracefully.

mod activity;
mod body;
mod connection;
mod connections;
mod credentials;
pub mod descriptors;
mod limits;
mod min_rate;
mod origin;
mod response;
mod routes;
mod socket;
mod timer;
mod wakers;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::logging::Throttle;

use activity::Activity;
pub use body::WatchedBody;
use connections::Connections;
pub use credentials::{SecretDigest, basic, bearer};
pub use limits::ListenerLimits;
pub use min_rate::MinRate;
pub use origin::is_local;
pub use routes::Routes;
pub use timer::RequestTimer;

/// Serves `routes` until `soft` is cancelled and every connection has ended, or until `hard` is
/// cancelled.
///
/// After `soft` nothing is accepted, idle connections are closed, and requests already begun are
/// still answered; `hard` drops what is left.
pub async fn serve(
    listener: TcpListener,
    routes: impl Routes,
    limits: ListenerLimits,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    let connections = Connections::new(limits.max_connections);
    let limits = Arc::new(limits);
    let tasks = TaskTracker::new();
    let accepting = async {
        let mut backoff = Backoff::default();
        loop {
            let stream = backoff.accept(&listener, &connections).await;
            connections.wait_for_room().await;
            let activity = Arc::new(Activity::new(Arc::clone(&limits)));
            let slot = connections.add(Arc::clone(&activity));
            let id = slot.id;
            let (soft, hard) = (soft.clone(), hard.clone());
            let connection = connection::run(stream, routes.clone(), activity, soft, hard);
            let task = tasks.spawn(async move {
                connection.await;
                drop(slot);
            });
            connections.set_task(id, task.abort_handle());
        }
    };
    soft.run_until_cancelled(hard.run_until_cancelled(accepting)).await;
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// Limits the log lines about failing accepts: clients can cause one with every connection.
static FAILURES: Throttle = Throttle::new(Duration::from_secs(10));

/// The pause between failing accepts: without free file descriptors `accept` fails at once, again
/// and again.
#[derive(Default)]
struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(10);
    const LAST: Duration = Duration::from_secs(1);

    async fn accept(&mut self, listener: &TcpListener, connections: &Connections) -> TcpStream {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    self.0 = Duration::ZERO;
                    return stream;
                }
                Err(error) if is_clients_fault(&error) => {}
                Err(error) => {
                    self.0 = (self.0 * 2).clamp(Self::FIRST, Self::LAST);
                    // Without free descriptors, a silent client has to give up its own.
                    connections.evict();
                    if let Some(times) = FAILURES.admit(1) {
                        tracing::warn!(%error, times, "cannot accept connections");
                    }
                    tokio::time::sleep(self.0).await;
                }
            }
        }
    }
}

/// True when the connection ended before it was accepted; the listener is fine.
fn is_clients_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
