//! Attackers, all on one thread: thousands of connections that need little CPU.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Pause between two new connections of all attackers together: at most 500 a second.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(2);

/// Receive buffer, about, of a client that never reads.
const RECEIVE_BUFFER: u32 = 4096;

const SMALL_SEGMENT: u32 = 536;

/// Descriptors for the largest attack, and for the tests that run beside it.
const DESCRIPTORS: u64 = 8192;

/// A group of connections with one behaviour: each sends bytes, stays open until the worker answers
/// or closes it, and then connects again.
#[derive(Debug, Clone)]
pub(crate) struct Attacker {
    to: SocketAddr,
    count: usize,
    first: Bytes,
    drip: Option<(Bytes, Duration)>,
    period: Duration,
    never_reads: bool,
    closes_at_once: bool,
}

impl Attacker {
    /// `count` connections that send `first`.
    pub(crate) fn new(to: SocketAddr, count: usize, first: impl Into<Bytes>) -> Self {
        Self {
            to,
            count,
            first: first.into(),
            drip: None,
            period: Duration::ZERO,
            never_reads: false,
            closes_at_once: false,
        }
    }

    /// Sends `bytes` again and again after the first bytes.
    pub(crate) fn drip(self, bytes: impl Into<Bytes>, every: Duration) -> Self {
        Self { drip: Some((bytes.into(), every)), ..self }
    }

    /// Waits at least `period` between two connections.
    pub(crate) fn every(self, period: Duration) -> Self {
        Self { period, ..self }
    }

    /// Never reads an answer.
    pub(crate) fn never_reads(self) -> Self {
        Self { never_reads: true, ..self }
    }

    /// Closes the connection as soon as it is open.
    pub(crate) fn closes_at_once(self) -> Self {
        Self { closes_at_once: true, ..self }
    }

    /// Uses half of the connections, but at least one.
    pub(crate) fn half(self) -> Self {
        Self { count: self.count.div_ceil(2), ..self }
    }

    async fn run(self, again: Arc<Mutex<Interval>>, attempts: Arc<AtomicUsize>) {
        loop {
            let begun = Instant::now();
            if let Ok(stream) = self.connect().await {
                attempts.fetch_add(1, Ordering::Relaxed);
                if !self.closes_at_once {
                    self.hold(stream).await;
                }
            }
            sleep_until(begun + self.period).await;
            again.lock().await.tick().await;
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if self.never_reads {
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
            // The kernel on the other side keeps room for a few segments.
            SockRef::from(&socket).set_tcp_mss(SMALL_SEGMENT)?;
        }
        socket.connect(self.to).await
    }

    /// Returns when the worker has answered or closed the connection.
    async fn hold(&self, mut stream: TcpStream) {
        let (mut reader, mut writer) = stream.split();
        let mut answer = [0; 64];
        let answered = async {
            if self.never_reads {
                std::future::pending::<()>().await;
            }
            // The worker answered, closed or reset the connection: this attempt is over.
            let _ = reader.read(&mut answer).await;
        };
        // Returns when nothing more can be sent.
        let sent = async {
            let mut sent = writer.write_all(&self.first).await;
            while sent.is_ok() {
                let Some((bytes, every)) = &self.drip else { return std::future::pending().await };
                sleep(*every).await;
                sent = writer.write_all(bytes).await;
            }
        };
        tokio::select! { () = answered => {}, () = sent => {} }
    }
}

/// The running attackers.
pub(super) struct Attackers {
    thread: JoinHandle<()>,
    over: CancellationToken,
    attempts: Arc<AtomicUsize>,
}

impl Attackers {
    pub(super) fn start(attackers: Vec<Attacker>) -> Self {
        raise_descriptors();
        let over = CancellationToken::new();
        let ended = over.clone();
        let attempts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&attempts);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let mut again = interval(RECONNECT_INTERVAL);
                again.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let again = Arc::new(Mutex::new(again));
                for attacker in attackers {
                    for _ in 0..attacker.count {
                        tokio::spawn(
                            attacker.clone().run(Arc::clone(&again), Arc::clone(&counter)),
                        );
                    }
                }
                ended.cancelled().await;
            });
            // The connections close with the runtime.
        });
        Self { thread, over, attempts }
    }

    /// Ends the attack; returns the number of all connections.
    pub(super) fn stop(self) -> usize {
        self.over.cancel();
        self.thread.join().expect("attackers do not panic");
        self.attempts.load(Ordering::Relaxed)
    }
}

fn raise_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
            .expect("below the hard limit");
    }
}
