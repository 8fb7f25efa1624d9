//! How fast `traitsink` is: one run measures every row of the table in `docs/performance.md` and
//! prints it. Every figure stands beside another of the same round: what `redis-benchmark -P 64
//! -c 50` writes (the limit), the Go program of `benches/peers/go`, a bare HTTP server, or a reader
//! that only skips JSON. Everything runs on loopback, and the program ends by itself.
//!
//! Usage: `cargo bench --bench throughput [-- [PART ..] [EVENTS]]`; parts are `transform`, `start`,
//! `file`, `http`, `kafka`, `cores`, `guard`, `cluster` (all of these without PART) and `scaling`,
//! which writes the plots of `docs/performance/`. `kafka` and `cores` need Java and the files that
//! `tests/run` fetches.

mod events;
mod file;
#[path = "../../tests/it/harness/mod.rs"]
#[expect(dead_code, reason = "brokers, a cluster and a worker are all that is needed of it")]
#[cfg_attr(feature = "kafka", expect(unused_imports, reason = "as above"))]
mod harness;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod machine;
mod process;
mod redis;
mod report;
mod rules;
mod scaling;
mod start;
mod targets;
mod transform;

use report::Report;

/// Events of one round.
const EVENTS: u64 = 500_000;
/// The parts of a run, in this order; the last one only by its name.
const PARTS: [&str; 9] =
    ["transform", "start", "file", "http", "kafka", "cores", "guard", "cluster", "scaling"];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == http::bare::ARGUMENT) {
        return http::bare::serve();
    }
    // `cargo bench` adds `--bench`.
    let is_known = |arg: &String| {
        arg == "--bench" || PARTS.contains(&arg.as_str()) || arg.parse::<u64>().is_ok()
    };
    if let Some(unknown) = args.iter().find(|arg| !is_known(arg)) {
        panic!("{unknown} is no part: they are {}", PARTS.join(", "));
    }
    let events = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(EVENTS);
    let is_named = |part: &str| args.iter().any(|arg| arg == part);
    let some_named = PARTS.iter().any(|part| is_named(part));
    let wanted = |part: &str| if some_named { is_named(part) } else { part != "scaling" };

    let with_kafka = wanted("kafka") || wanted("cores");
    let facts = machine::facts(with_kafka && cfg!(feature = "kafka"));
    println!("{facts}");
    let warning = machine::warning();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut report = Report::default();
    if wanted("transform") {
        transform::measure(&mut report);
    }
    if wanted("start") {
        start::measure(&mut report, dir.path());
    }
    if wanted("file") {
        file::alone(&mut report, dir.path(), events);
    }
    if wanted("http") {
        http::measure(&mut report, dir.path(), events);
    }
    #[cfg(feature = "kafka")]
    if with_kafka {
        kafka::measure(&mut report, dir.path(), events, wanted("kafka"), wanted("cores"));
    }
    #[cfg(not(feature = "kafka"))]
    if with_kafka {
        report.missing(&targets::KAFKA_ROWS, "built without the feature `kafka`");
    }
    if wanted("guard") {
        file::guard(&mut report, dir.path(), events);
    }
    if wanted("cluster") {
        file::cluster(&mut report, dir.path(), events);
    }
    if wanted("scaling") {
        scaling::measure(&facts, dir.path());
    }
    println!("\n{facts}, {events} events a round");
    if let Some(warning) = warning {
        println!("{warning}");
    }
    println!("\n{}", report.tables());
}
