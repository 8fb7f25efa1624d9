//! Probes like those of an orchestrator and of Prometheus: `/live` and `/metrics`, each on a new
//! connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::http::Client;
use super::super::let_pass;

const PERIOD: Duration = Duration::from_millis(200);

/// The same as for honest clients.
const PATIENCE: Duration = Duration::from_secs(9);

/// The result of one probe: `/live`, then `/metrics`.
pub(super) struct Probe {
    /// Both answered with 200; `/metrics` is asked only after a 200 of `/live`.
    pub(super) answered: bool,
    /// Response time of `/live`.
    pub(super) took: Duration,
}

/// The running prober.
pub(super) struct Prober {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Probe>>,
}

impl Prober {
    pub(super) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut probes = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let live = answers(address, "/live");
                let took = begun.elapsed();
                probes.push(Probe { answered: live && answers(address, "/metrics"), took });
                let_pass(PERIOD.saturating_sub(begun.elapsed()));
            }
            probes
        });
        Self { stop, thread }
    }

    /// Waits for the last answer.
    pub(super) fn stop(self) -> Vec<Probe> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a prober does not panic")
    }
}

fn answers(address: SocketAddr, path: &str) -> bool {
    Client::with_patience(address, PATIENCE).get(path).is_some_and(|answer| answer.status == 200)
}
