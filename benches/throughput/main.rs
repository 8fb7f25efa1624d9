//! Throughput of `traitsink` as a share of the throughput of Redis. In each of three rounds,
//! `redis-benchmark -P 64 -c 50 -r 100000` writes the payload with HSET, then `traitsink` writes
//! it. Everything runs on loopback, and the program ends by itself.
//!
//! Usage: `cargo bench --bench throughput [-- [file|guard|cluster|kafka] [EVENTS]]`. Kafka needs
//! Java and the files that `tests/run` fetches.

mod events;
mod file;
#[path = "../../tests/it/harness/mod.rs"]
#[expect(dead_code, reason = "brokers, a cluster and a worker are all that is needed of it")]
#[cfg_attr(feature = "kafka", expect(unused_imports, reason = "as above"))]
mod harness;
#[cfg(feature = "kafka")]
mod kafka;
mod redis;

use self::redis::BenchServer;

const ROUNDS: usize = 3;
const PARTS: [&str; 4] = ["file", "guard", "cluster", "kafka"];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let events = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(400_000);
    let wanted = |part: &str| {
        args.iter().any(|arg| arg == part) || !args.iter().any(|arg| PARTS.contains(&arg.as_str()))
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("events.ndjson");
    if ["file", "guard", "cluster"].into_iter().any(wanted) {
        file::write_events(&path, events);
    }
    if wanted("file") {
        let redis = BenchServer::start(dir.path());
        let url = format!("redis.url=redis://127.0.0.1:{}", redis.port);
        compare(
            "file -> Redis",
            events,
            || redis.limit(events),
            || file::replay(&[&url], &path, dir.path(), events),
        );
    }
    if wanted("guard") {
        let redis = BenchServer::start(dir.path());
        let url = format!("redis.url=redis://127.0.0.1:{}", redis.port);
        for guard in ["profile.newest_wins=field", "profile.newest_wins=profile"] {
            compare(
                &format!("file -> Redis, {guard}"),
                events,
                || redis.limit(events),
                || file::replay(&[&url, guard], &path, dir.path(), events),
            );
        }
    }
    if wanted("cluster") {
        let cluster = harness::cluster::Cluster::start(3, 0);
        let (port, url) =
            (cluster.nodes[0].port().to_string(), format!("redis.url={}", cluster.url()));
        compare(
            "file -> cluster of three",
            events,
            || redis::limit(&port, &["--cluster"], events),
            || file::replay(&["redis.mode=cluster", &url], &path, dir.path(), events),
        );
    }
    #[cfg(feature = "kafka")]
    if wanted("kafka") {
        from_kafka(&BenchServer::start(dir.path()), events);
    }
}

/// Prints the share of `limit` that `rate` reaches, both in events per second.
fn compare(what: &str, events: u64, limit: impl Fn() -> f64, rate: impl Fn() -> f64) {
    let ratios = (1..=ROUNDS).map(|round| {
        let (limit, rate) = (limit(), rate());
        println!(
            "round {round}: redis-benchmark {limit:.0} HSET/s, traitsink {rate:.0} events/s, \
            ratio {:.2}",
            rate / limit
        );
        rate / limit
    });
    println!(
        "{what}: {:.2} of redis-benchmark (median of {ROUNDS}, {events} events)",
        median(ratios)
    );
}

#[cfg(feature = "kafka")]
fn from_kafka(redis: &BenchServer, events: u64) {
    let kafka = harness::kafka::Kafka::start();
    let topic = kafka::produce(&kafka, events);
    let ratios = (1..=ROUNDS).map(|round| {
        let limit = redis.limit(events);
        let kafka::KafkaRun { rate, cpu } = kafka::consume(redis, &kafka, &topic, events);
        println!(
            "round {round}: redis-benchmark {limit:.0} HSET/s, Kafka {rate:.0} events/s, ratio \
             {:.2}, {cpu:.1?} of CPU each",
            rate / limit
        );
        rate / limit
    });
    println!(
        "Kafka -> Redis: {:.2} of redis-benchmark (median of {ROUNDS}, {events} events)",
        median(ratios)
    );
}

fn median(ratios: impl Iterator<Item = f64>) -> f64 {
    let mut ratios: Vec<f64> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}
