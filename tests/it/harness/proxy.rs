//! A TCP proxy that can hold back what clients send.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Between clients and one server, until the test ends.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    holds: Mutex<Holds>,
    released: Condvar,
}

/// Connections are numbered from 0 in the order in which they were accepted.
#[derive(Default)]
struct Holds {
    accepted: usize,
    /// Bytes from connections below this number are held back.
    below: usize,
    /// Chunks that are held back now.
    held: usize,
}

impl Proxy {
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let mut holds = shared.holds.lock().unwrap();
                let number = holds.accepted;
                holds.accepted += 1;
                drop(holds);
                let (from_client, to_client) = (client.try_clone().expect("a socket"), client);
                let (from_server, to_server) = (upstream.try_clone().expect("a socket"), upstream);
                let state = Arc::clone(&shared);
                std::thread::spawn(move || forward(from_client, to_server, || state.wait(number)));
                std::thread::spawn(move || forward(from_server, to_client, || ()));
            }
        });
        Self { address, state }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on, what the connections of this moment send is held back; new connections pass.
    pub(crate) fn hold(&self) {
        let mut holds = self.state.holds.lock().unwrap();
        holds.below = holds.accepted;
    }

    /// Whether anything is held back.
    pub(crate) fn holds(&self) -> bool {
        self.state.holds.lock().unwrap().held > 0
    }

    /// Sends on what was held back, even from clients that are gone.
    pub(crate) fn release(&self) {
        self.state.holds.lock().unwrap().below = 0;
        self.state.released.notify_all();
    }
}

impl State {
    fn wait(&self, number: usize) {
        let mut holds = self.holds.lock().unwrap();
        holds.held += 1;
        let mut holds = self.released.wait_while(holds, |holds| number < holds.below).unwrap();
        holds.held -= 1;
    }
}

/// Copies until the end of `from`, calling `wait` before each chunk is sent on.
fn forward(mut from: TcpStream, mut to: TcpStream, wait: impl Fn()) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(len @ 1..) = from.read(&mut chunk) {
        wait();
        if to.write_all(&chunk[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
