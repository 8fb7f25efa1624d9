//! A small Redis in this process, for trying things out: hashes in memory, served to `redis-cli` on
//! a loopback port.
//!
//! The way of a command: bytes -> [`request`] -> [`commands`] on the [`databases`] -> [`reply`] ->
//! bytes. Scripts are not run: [`scripts`] knows those of this program, and [`guard`] does what the
//! guard's do.

mod clients;
mod commands;
mod databases;
mod glob;
mod guard;
mod guard_times;
mod hash;
mod key_end;
mod number;
mod ordered;
mod reply;
mod request;
mod scan;
mod scripts;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::clients::Clients;
use self::commands::{CommandContext, Session};
use self::databases::Databases;
use self::hash::Millis;
use self::reply::RespReply;

use crate::lock::lock;

/// Replies are sent once they have this many bytes, or when no request is waiting.
const FLUSH: usize = 64 * 1024;

/// The store, bound to its port.
pub struct Embedded {
    listener: TcpListener,
    local_addr: SocketAddr,
}

/// The state that all connections share.
struct ServerState {
    databases: Databases,
    clients: Clients,
    port: u16,
    run_id: String,
    started: Instant,
}

impl Embedded {
    /// Binds `addr`; port 0 takes a free port.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let local_addr = listener.local_addr()?;
        Ok(Self { listener, local_addr })
    }

    /// The bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `stop`, then closes every connection. The data is lost then.
    pub async fn serve(self, stop: CancellationToken) {
        let shared = Arc::new(Mutex::new(ServerState {
            databases: Databases::default(),
            clients: Clients::default(),
            port: self.local_addr.port(),
            run_id: run_id(),
            started: Instant::now(),
        }));
        let connections = TaskTracker::new();
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    let _task = connections.spawn(serve_client(
                        stream,
                        peer,
                        Arc::clone(&shared),
                        stop.child_token(),
                    ));
                }
                // No file descriptor is left: one becomes free when a client leaves.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        connections.close();
        connections.wait().await;
    }
}

/// Serves one client until it leaves, is killed or breaks the protocol. Its I/O errors are of no
/// interest.
async fn serve_client(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Mutex<ServerState>>,
    killed: CancellationToken,
) {
    let locked = || lock(&shared);
    let Some(id) = locked().clients.add(peer, killed.clone()) else {
        refuse(stream).await;
        return;
    };
    let mut session = Session::new(id);
    let run = |session: &mut Session, request: &[Vec<u8>]| {
        let shared = &mut *locked();
        let server = commands::ServerFacts {
            run_id: &shared.run_id,
            port: shared.port,
            uptime: shared.started.elapsed(),
        };
        commands::run(
            request,
            &mut CommandContext {
                databases: &mut shared.databases,
                clients: &mut shared.clients,
                server,
                session,
                now: now(),
            },
        )
    };
    let _ = killed.run_until_cancelled(converse(stream, &mut session, run)).await;
    locked().clients.remove(id);
}

async fn converse(
    mut stream: TcpStream,
    session: &mut Session,
    run: impl Fn(&mut Session, &[Vec<u8>]) -> RespReply,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut received, mut replies) = (BytesMut::with_capacity(FLUSH), Vec::new());
    loop {
        loop {
            match request::take(&mut received) {
                Ok(Some(request)) => run(session, &request).encode(session.resp3, &mut replies),
                Ok(None) => break,
                Err(error) => {
                    RespReply::Error(format!("ERR Protocol error: {error}"))
                        .encode(false, &mut replies);
                    session.quit = true;
                }
            }
            if replies.len() >= FLUSH || session.quit {
                stream.write_all(&replies).await?;
                replies.clear();
            }
            if session.quit {
                return stream.shutdown().await;
            }
        }
        stream.write_all(&replies).await?;
        replies.clear();
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    }
}

async fn refuse(mut stream: TcpStream) {
    let _ = stream.write_all(b"-ERR max number of clients reached\r\n").await;
}

fn now() -> Millis {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

/// 40 hex digits that differ from process to process and from store to store.
fn run_id() -> String {
    use sha2::{Digest, Sha256};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let digest = Sha256::digest(format!("{} {}", std::process::id(), now.as_nanos()));
    digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}
