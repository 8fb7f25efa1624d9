//! S1: load from HTTP and Kafka, with a fault a minute. At the end every event that was
//! acknowledged is in Redis, the ledger closes, and memory, descriptors and threads are where they
//! were after the first faults. `tests/run --soak` plays it for as long as it is told.

mod fault;
mod figures;
mod site;

use std::time::{Duration, Instant};

use fastrand::Rng;

use self::fault::Fault;
use self::figures::{Figures, Resources};
use self::site::Site;
use crate::harness::let_pass;
use crate::harness::matrix::variable;

/// Length of an ordinary run; it has room for two faults.
const SHORT: u64 = 20;

#[test]
fn s1_load_with_a_fault_a_minute() {
    let seed = variable("TRAITSINK_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut rng = Rng::with_seed(seed);
    let seconds = variable("TRAITSINK_SOAK_SECONDS").unwrap_or(SHORT);
    println!("S1: {seconds} s, TRAITSINK_SEED={seed}");
    let length = Duration::from_secs(seconds);
    let gap = Duration::from_secs(60).min(length / 2);

    let mut site = Site::start();
    let mut figures = Figures::new(seconds);
    let start = Instant::now();
    let mut deck = Vec::new();
    for number in (0..).take_while(|number| gap * *number + gap / 2 < length) {
        figures.rest(&site, start + gap * number + gap / 2);
        // Every fault is played once before any is played again.
        if deck.is_empty() {
            deck = Fault::ALL.to_vec();
            rng.shuffle(&mut deck);
        }
        let fault = deck.pop().expect("a shuffled deck");
        println!("S1: {:?} after {} s", fault, start.elapsed().as_secs());
        site.play(fault, &mut rng);
        let cured = Instant::now();
        site.recovers();
        figures.recovered(cured.elapsed());
    }
    figures.rest(&site, start + length);
    site.finish(&mut figures);
    figures.check();
}

impl Figures {
    /// Samples what the worker holds, until `end`.
    fn rest(&mut self, site: &Site, end: Instant) {
        // One sample at least: a slow recovery may take the time of the rest.
        loop {
            self.sample(Resources::of(site.app.pid()));
            if Instant::now() >= end {
                return;
            }
            let_pass(Duration::from_millis(500));
        }
    }
}
