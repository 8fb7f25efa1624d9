//! A TCP proxy that behaves like a bad network: it holds back, delays, slows, cuts, resets,
//! corrupts and silences connections.

mod link;

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use self::link::Link;

/// A proxy between clients and one server; ends all connections on drop. A client's connection is
/// reset if the server refuses.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<ProxyState>,
    accepting: Option<JoinHandle<()>>,
}

/// The direction of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toward {
    Server,
    Client,
}

/// How a connection breaks, in both directions.
pub(crate) enum End {
    /// Close with FIN.
    Cut,
    /// Close with RST.
    Reset,
    /// The client receives these bytes. The connection stays open, and nothing more is sent on.
    Garbage(Vec<u8>),
}

/// Breaks a connection after exactly `after` bytes.
pub(crate) struct Break {
    pub(crate) toward: Toward,
    pub(crate) after: usize,
    pub(crate) end: End,
}

/// The speed at which bytes are sent on.
#[derive(Clone, Default)]
pub(crate) enum Pace {
    #[default]
    Free,
    /// Each chunk waits for a random time from this range.
    Delayed(Range<Duration>),
    /// Bytes a second in each direction.
    Drip(usize),
}

#[derive(Default)]
struct ProxyState {
    network: Mutex<Network>,
    changed: Condvar,
}

/// The state of all connections, which are numbered from 0 in the order in which they were
/// accepted.
#[derive(Default)]
struct Network {
    server: u16,
    accepted: usize,
    links: Vec<Weak<Link>>,
    /// Bytes from clients of connections below this number are held back.
    held_below: usize,
    /// Number of chunks held back now.
    held: usize,
    /// Bytes of connections below this number are dropped.
    silent_below: usize,
    /// Connections that were silent to their end; their sockets stay open.
    silenced: Vec<Arc<Link>>,
    pace: Pace,
    /// Faults of future connections, one each.
    breaks: VecDeque<Break>,
    broken: usize,
    ended: bool,
}

impl Proxy {
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(ProxyState::default());
        state.lock().server = server;
        let shared = Arc::clone(&state);
        let accepting = std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, ended) = {
                    let network = shared.lock();
                    (network.server, network.ended)
                };
                if ended {
                    break;
                }
                match TcpStream::connect(("127.0.0.1", server)) {
                    Ok(server) => Link::start(client, server, &shared),
                    Err(_) => link::reset(&client),
                }
            }
        });
        Self { address, state, accepting: Some(accepting) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Number of connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.state.lock().accepted
    }

    /// Sends new connections to the server on this port.
    pub(crate) fn redirect_to(&self, server: u16) {
        self.state.lock().server = server;
    }

    /// Holds back bytes from the clients of the present connections. New connections are not
    /// affected.
    pub(crate) fn hold(&self) {
        let mut network = self.state.lock();
        network.held_below = network.accepted;
    }

    /// True while any bytes are held back.
    pub(crate) fn holds(&self) -> bool {
        self.state.lock().held > 0
    }

    /// Sends on the held bytes, even if their client is gone.
    pub(crate) fn release(&self) {
        self.state.lock().held_below = 0;
        self.state.changed.notify_all();
    }

    /// Makes the present connections half-open: their bytes are dropped in both directions, and
    /// neither side sees the other's end.
    pub(crate) fn silence(&self) {
        let mut network = self.state.lock();
        network.silent_below = network.accepted;
    }

    /// [`Proxy::silence`]; new connections are accepted and silent, too.
    pub(crate) fn silence_all(&self) {
        self.state.lock().silent_below = usize::MAX;
    }

    /// Lets new connections pass again; silent ones stay silent.
    pub(crate) fn heal(&self) {
        self.silence();
    }

    pub(crate) fn set_pace(&self, pace: Pace) {
        self.state.lock().pace = pace;
    }

    /// Breaks the next connections, one each.
    pub(crate) fn break_next(&self, breaks: impl IntoIterator<Item = Break>) {
        self.state.lock().breaks.extend(breaks);
    }

    /// Number of connections that broke as planned.
    pub(crate) fn broken(&self) -> usize {
        self.state.lock().broken
    }

    /// Resets all connections.
    pub(crate) fn reset(&self) {
        let links = std::mem::take(&mut self.state.lock().links);
        links.iter().filter_map(Weak::upgrade).for_each(|link| link.reset());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.lock().ended = true;
        self.release();
        self.reset();
        self.state.lock().silenced.clear();
        // This connection wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        let _ = self.accepting.take().map(JoinHandle::join);
    }
}

impl ProxyState {
    fn lock(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap()
    }
}
