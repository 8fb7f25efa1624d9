//! A TCP proxy that does to connections what networks do: it holds back, delays, drips, cuts,
//! resets, corrupts and goes silent.

mod link;

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use self::link::Link;

/// Between clients and one server; ends all connections when dropped. A server that refuses makes
/// it reset its clients.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

/// To whom bytes are going.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toward {
    Server,
    Client,
}

/// How a connection ends, both ways.
pub(crate) enum End {
    /// FIN.
    Cut,
    /// RST.
    Reset,
    /// The client gets these bytes; the connection stays open, and nothing goes on any more.
    Garbage(Vec<u8>),
}

/// After exactly `after` bytes, a connection ends.
pub(crate) struct Break {
    pub(crate) toward: Toward,
    pub(crate) after: usize,
    pub(crate) end: End,
}

/// How fast bytes go on.
#[derive(Clone, Default)]
pub(crate) enum Pace {
    #[default]
    Free,
    /// Each chunk waits for a random time.
    Delayed(Range<Duration>),
    /// So many bytes a second in each direction.
    Drip(usize),
}

#[derive(Default)]
struct State {
    network: Mutex<Network>,
    changed: Condvar,
}

/// Connections are numbered from 0 in the order in which they were accepted.
#[derive(Default)]
struct Network {
    server: u16,
    accepted: usize,
    links: Vec<Weak<Link>>,
    /// What clients of connections below this number send is held back.
    held_below: usize,
    /// Chunks that are held back now.
    held: usize,
    /// Bytes of connections below this number vanish.
    silent_below: usize,
    /// Connections that were silent to their end: their sockets stay open.
    silenced: Vec<Arc<Link>>,
    pace: Pace,
    /// For connections to come, one each.
    breaks: VecDeque<Break>,
    broken: usize,
    ended: bool,
}

impl Proxy {
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State::default());
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

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.state.lock().accepted
    }

    /// New connections go to the server on this port.
    pub(crate) fn lead_to(&self, server: u16) {
        self.state.lock().server = server;
    }

    /// From now on, what clients of the connections of this moment send is held back; new
    /// connections pass.
    pub(crate) fn hold(&self) {
        let mut network = self.state.lock();
        network.held_below = network.accepted;
    }

    /// Whether anything is held back.
    pub(crate) fn holds(&self) -> bool {
        self.state.lock().held > 0
    }

    /// Sends on what was held back, even from clients that are gone.
    pub(crate) fn release(&self) {
        self.state.lock().held_below = 0;
        self.state.changed.notify_all();
    }

    /// Half-open: from now on, bytes of the connections of this moment vanish both ways, and
    /// neither side learns of the other's end.
    pub(crate) fn silence(&self) {
        let mut network = self.state.lock();
        network.silent_below = network.accepted;
    }

    /// [`Proxy::silence`], and new connections are accepted and silent as well.
    pub(crate) fn silence_all(&self) {
        self.state.lock().silent_below = usize::MAX;
    }

    /// New connections pass again; those that were silent stay so.
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

    /// How many connections broke as they were told to.
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
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        let _ = self.accepting.take().map(JoinHandle::join);
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap()
    }
}
