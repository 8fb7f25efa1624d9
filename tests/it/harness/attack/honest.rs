//! Honest clients: each sends one small event after the other at a fixed rate, and records each
//! answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::http::Client;
use super::super::let_pass;
use super::super::redis::Redis;

/// Number of clients. Half of them keep their connection, the others open one for each request.
const CLIENTS: u32 = 10;

/// Time between two requests of one client: 50 requests a second in all.
const PERIOD: Duration = Duration::from_millis(200);

/// An answer that takes longer counts as none. The time is long enough for a busy machine, and
/// shorter than `http.header_timeout`, after which silent attackers are disconnected.
const PATIENCE: Duration = Duration::from_secs(9);

/// One request: an event of a new user.
pub(super) struct HonestRequest {
    user: String,
    pub(super) status: Option<u16>,
    pub(super) took: Duration,
}

/// The running honest clients.
pub(super) struct HonestClients {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<HonestRequest>>>,
}

impl HonestClients {
    pub(super) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS)
            .map(|client| {
                let stop = Arc::clone(&stop);
                std::thread::spawn(move || work(address, client, &stop))
            })
            .collect();
        Self { stop, clients }
    }

    /// Waits for the last answers.
    pub(super) fn stop(self) -> Vec<HonestRequest> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client does not panic"))
            .collect()
    }
}

fn work(address: SocketAddr, number: u32, stop: &AtomicBool) -> Vec<HonestRequest> {
    let keeps = number.is_multiple_of(2);
    let mut sent = Vec::new();
    let mut client = Client::with_patience(address, PATIENCE);
    // The clients start one after the other, at equal distances.
    let mut due = Instant::now() + PERIOD * number / CLIENTS;
    while !stop.load(Ordering::Relaxed) {
        let_pass(due.saturating_duration_since(Instant::now()));
        let user = format!("honest-{number}-{}", sent.len());
        let body = format!(r#"{{"type":"identify","userId":"{user}","traits":{{"me":"{user}"}}}}"#);
        let begun = Instant::now();
        if !keeps {
            client = Client::with_patience(address, PATIENCE);
        }
        // The server may have closed a kept connection meanwhile: the client then sends once more
        // on a new connection.
        let again = keeps && !sent.is_empty();
        let mut answer = client.post("/v1/identify", &body);
        if answer.is_none() && again && begun.elapsed() < PATIENCE {
            answer = client.post("/v1/identify", &body);
        }
        sent.push(HonestRequest {
            user,
            status: answer.map(|answer| answer.status),
            took: begun.elapsed(),
        });
        due = (due + PERIOD).max(Instant::now());
    }
    sent
}

/// Events that were answered 200 and are not in Redis as they were sent.
pub(super) fn missing(redis: &Redis, sent: &[HonestRequest]) -> Vec<String> {
    let answered = sent.iter().filter(|sent| sent.status == Some(200));
    let missing = answered.filter_map(|HonestRequest { user, .. }| {
        let held = redis.hgetall(&format!("user:{user}"));
        let right = held.len() == 1
            && held.get(b"me".as_slice()).is_some_and(|value| value == user.as_bytes());
        (!right).then(|| format!("{user} was answered 200, Redis holds {held:?}"))
    });
    missing.collect()
}
