//! One byte stream to Redis: TCP, TLS over TCP, or a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use super::tls_session::TlsSession;
use crate::config::Tcp;
use crate::redis::errors::{NamedServer, Trouble, hint, tls_hint};
use crate::tls::TlsClient;

/// A byte stream in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Resolves the name, connects and makes the TLS handshake, all within `timeout`; messages call it
/// `server`.
pub(super) async fn dial_tcp(
    (host, port): (&str, u16),
    server: NamedServer<'_>,
    options: &Tcp,
    tls: Option<&TlsClient>,
    timeout: Duration,
) -> Result<(Box<dyn Stream>, Option<TlsSession>), Trouble> {
    let deadline = Instant::now() + timeout;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let resolved = within(deadline, lookup_host((bare, port)))
        .await
        .map_err(|error| hint::resolve(server, bare, &error))?;
    let tcp = first_answering(resolved.collect(), deadline)
        .await
        .map_err(|error| hint::dial(server, &error, timeout))?;
    tune(&tcp, options).map_err(|error| hint::dial(server, &error, timeout))?;
    let Some(tls) = tls else { return Ok((Box::new(tcp), None)) };
    match timeout_at(deadline, tls.connect(bare, tcp)).await {
        Err(_) => Err(tls_hint::handshake_timeout(server, timeout)),
        Ok(Err(failed)) => Err(tls_hint::handshake(server, tls, &failed)),
        Ok(Ok(stream)) => {
            let session = TlsSession::of(stream.get_ref().1, tls.is_verified());
            Ok((Box::new(stream), Some(session)))
        }
    }
}

/// Connects to the socket at `path`.
pub(super) async fn dial_unix(
    path: &Path,
    server: NamedServer<'_>,
    timeout: Duration,
) -> Result<Box<dyn Stream>, Trouble> {
    match within(Instant::now() + timeout, UnixStream::connect(path)).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(hint::dial_unix(server, &error)),
    }
}

/// Tries one address after the other, each with its share of the time that is left.
async fn first_answering(addresses: Vec<SocketAddr>, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (at, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        match within(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn within<T>(deadline: Instant, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout_at(deadline, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Sets TCP options: by default, a peer that vanished is noticed in 10 s while sending and in 30 s
/// while idle.
fn tune(stream: &TcpStream, options: &Tcp) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    if let Some(time) = options.keepalive {
        let interval = (time / 3).max(Duration::from_secs(1));
        socket.set_tcp_keepalive(
            &TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(3),
        )?;
    }
    #[cfg(target_os = "linux")]
    if options.user_timeout.is_some() {
        socket.set_tcp_user_timeout(options.user_timeout)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn goes_on_to_an_address_that_answers() {
        let (closed, open) = (
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        );
        let (dead, alive) = (closed.local_addr().unwrap(), open.local_addr().unwrap());
        drop(closed);
        let deadline = Instant::now() + Duration::from_secs(10);
        let stream = first_answering(vec![dead, alive], deadline).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        let refused = first_answering(vec![dead], deadline).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(first_answering(Vec::new(), deadline).await.is_err());
    }

    #[tokio::test]
    async fn sockets_get_their_options() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (seconds, millis) = (Duration::from_secs, Duration::from_millis);
        for (keepalive, user_timeout) in [
            (Some(seconds(15)), Some(seconds(10))),
            (Some(seconds(1)), Some(millis(1))),
            (None, None),
        ] {
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            tune(&stream, &Tcp { keepalive, user_timeout }).unwrap();
            let socket = SockRef::from(&stream);
            assert!(socket.tcp_nodelay().unwrap());
            assert_eq!(socket.keepalive().unwrap(), keepalive.is_some());
            if let Some(time) = keepalive {
                assert_eq!(socket.tcp_keepalive_time().unwrap(), time);
                assert_eq!(
                    socket.tcp_keepalive_interval().unwrap(),
                    seconds((time.as_secs() / 3).max(1))
                );
            }
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().unwrap(), user_timeout);
        }
    }
}
