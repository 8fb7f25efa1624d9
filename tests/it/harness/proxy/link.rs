//! One connection through the proxy: two sockets, and a thread for each direction.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

use super::{Break, End, Pace, ProxyState, Toward};
use crate::harness::let_pass;

/// Pause between two pieces at [`Pace::Drip`].
const DRIP_EVERY: Duration = Duration::from_millis(20);

/// A connection; its sockets close when both threads have ended.
pub(super) struct Link {
    number: usize,
    client: TcpStream,
    server: TcpStream,
    /// The planned fault; passes to the next connection if this one ends before it.
    fault: Mutex<Option<Break>>,
    /// True once the client has received its garbage: nothing more is sent on.
    garbled: AtomicBool,
}

/// Makes the socket reset when it is closed, and wakes the thread that reads from it.
pub(super) fn reset(socket: &TcpStream) {
    SockRef::from(socket).set_linger(Some(Duration::ZERO)).expect("a socket");
    let _ = socket.shutdown(Shutdown::Read);
}

impl Link {
    pub(super) fn start(client: TcpStream, server: TcpStream, state: &Arc<ProxyState>) {
        for socket in [&client, &server] {
            socket.set_nodelay(true).expect("a socket");
        }
        let mut network = state.lock();
        let link = Arc::new(Self {
            number: network.accepted,
            client,
            server,
            fault: Mutex::new(network.breaks.pop_front()),
            garbled: AtomicBool::new(false),
        });
        network.accepted += 1;
        network.links.retain(|link| link.strong_count() > 0);
        network.links.push(Arc::downgrade(&link));
        for toward in [Toward::Server, Toward::Client] {
            let (link, state) = (Arc::clone(&link), Arc::clone(state));
            std::thread::spawn(move || link.forward(toward, &state));
        }
    }

    pub(super) fn reset(&self) {
        reset(&self.client);
        reset(&self.server);
    }

    /// Copies until either side ends.
    fn forward(self: Arc<Self>, toward: Toward, state: &ProxyState) {
        let (mut from, to) = match toward {
            Toward::Server => (&self.client, &self.server),
            Toward::Client => (&self.server, &self.client),
        };
        let mut chunk = vec![0; 64 << 10];
        let mut passed = 0;
        while let Ok(len @ 1..) = from.read(&mut chunk)
            && self.send_on(&chunk[..len], toward, &mut passed, state)
        {}
        if let Some(fault) = self.fault.lock().unwrap().take() {
            state.lock().breaks.push_front(fault);
        }
        if self.is_silent(state) {
            state.lock().silenced.push(self);
        } else {
            // A link that is being reset must be closed only once.
            let lingers = SockRef::from(to).linger().is_ok_and(|time| time.is_some());
            let _ = to.shutdown(if lingers { Shutdown::Read } else { Shutdown::Both });
        }
    }

    fn is_silent(&self, state: &ProxyState) -> bool {
        self.garbled.load(Relaxed) || self.number < state.lock().silent_below
    }

    /// Sends a chunk on at the proxy's pace; false if the link has ended.
    fn send_on(
        &self,
        chunk: &[u8],
        toward: Toward,
        passed: &mut usize,
        state: &ProxyState,
    ) -> bool {
        let held =
            (toward == Toward::Server).then(|| HeldChunk::wait(self.number, state)).flatten();
        let mut rest = chunk;
        while !rest.is_empty() {
            let pace = state.lock().pace.clone();
            let piece = pace.wait(rest.len());
            if self.is_silent(state) {
                return true;
            }
            if !self.write(&rest[..piece], toward, passed, state) {
                return false;
            }
            rest = &rest[piece..];
        }
        drop(held);
        true
    }

    /// Writes bytes up to the fault; false if the link has ended.
    fn write(&self, bytes: &[u8], toward: Toward, passed: &mut usize, state: &ProxyState) -> bool {
        let mut to = if toward == Toward::Server { &self.server } else { &self.client };
        let fault = self
            .fault
            .lock()
            .unwrap()
            .take_if(|fault| fault.toward == toward && fault.after <= *passed + bytes.len());
        let Some(fault) = fault else {
            *passed += bytes.len();
            return to.write_all(bytes).is_ok();
        };
        let _ = to.write_all(&bytes[..fault.after - *passed]);
        match fault.end {
            End::Cut => [&self.client, &self.server].into_iter().for_each(|socket| {
                let _ = socket.shutdown(Shutdown::Both);
            }),
            End::Reset => self.reset(),
            End::Garbage(bytes) => {
                self.garbled.store(true, Relaxed);
                let _ = (&self.client).write_all(&bytes);
            }
        }
        state.lock().broken += 1;
        self.garbled.load(Relaxed)
    }
}

impl Pace {
    /// Waits until some of `len` bytes may be sent on, and returns their number.
    fn wait(&self, len: usize) -> usize {
        match self {
            Self::Free => len,
            Self::Delayed(times) => {
                let [least, most] = [times.start, times.end]
                    .map(|time| u64::try_from(time.as_micros()).expect("short"));
                let_pass(Duration::from_micros(fastrand::u64(least..most)));
                len
            }
            Self::Drip(rate) => {
                let_pass(DRIP_EVERY);
                len.min(rate * DRIP_EVERY.as_millis() as usize / 1000)
            }
        }
    }
}

/// A chunk that is held back, until it is sent on.
struct HeldChunk<'a>(&'a ProxyState);

impl<'a> HeldChunk<'a> {
    fn wait(number: usize, state: &'a ProxyState) -> Option<Self> {
        let mut network = state.lock();
        if number >= network.held_below {
            return None;
        }
        network.held += 1;
        drop(state.changed.wait_while(network, |network| number < network.held_below).unwrap());
        Some(Self(state))
    }
}

impl Drop for HeldChunk<'_> {
    fn drop(&mut self) {
        self.0.lock().held -= 1;
    }
}
