//! What reaches Redis, as a share of what Redis can take: `redis-benchmark -P 64 -c 50 -r 100000` HSET of the same payload and
//! `traitsink`, one after the other in the same run, three times. Loopback only; ends by itself.
//!
//! `cargo bench --bench throughput [-- [file|kafka] [EVENTS]]`; Kafka needs Java and what `tests/run` fetched.

mod events;
mod file;
#[cfg(feature = "kafka")]
#[path = "../../tests/it/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a broker and a worker are all that is needed of it")]
mod harness;
#[cfg(feature = "kafka")]
mod kafka;
mod redis;

use std::path::Path;

use self::redis::Redis;

const ROUNDS: usize = 3;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let events = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(400_000);
    let wanted = |source: &str| args.iter().any(|arg| arg == source) || !args.iter().any(|arg| arg == "file" || arg == "kafka");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let redis = Redis::start(dir.path());
    if wanted("file") {
        from_file(&redis, dir.path(), events);
    }
    #[cfg(feature = "kafka")]
    if wanted("kafka") {
        from_kafka(&redis, events);
    }
}

fn from_file(redis: &Redis, dir: &Path, events: u64) {
    let path = dir.join("events.ndjson");
    file::write_events(&path, events);
    let ratios = (1..=ROUNDS).map(|round| {
        let limit = redis.limit(events);
        let rate = file::replay(redis, &path, dir, events);
        println!("round {round}: redis-benchmark {limit:.0} HSET/s, replay {rate:.0} events/s, ratio {:.2}", rate / limit);
        rate / limit
    });
    println!("file -> Redis: {:.2} of redis-benchmark (median of {ROUNDS}, {events} events)", median(ratios));
}

#[cfg(feature = "kafka")]
fn from_kafka(redis: &Redis, events: u64) {
    let kafka = harness::kafka::Kafka::start();
    let topic = kafka::produce(&kafka, events);
    let ratios = (1..=ROUNDS).map(|round| {
        let limit = redis.limit(events);
        let kafka::Run { rate, cpu } = kafka::consume(redis, &kafka, &topic, events);
        println!(
            "round {round}: redis-benchmark {limit:.0} HSET/s, Kafka {rate:.0} events/s, ratio {:.2}, {cpu:.1?} of CPU each",
            rate / limit
        );
        rate / limit
    });
    println!("Kafka -> Redis: {:.2} of redis-benchmark (median of {ROUNDS}, {events} events)", median(ratios));
}

fn median(ratios: impl Iterator<Item = f64>) -> f64 {
    let mut ratios: Vec<f64> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}
