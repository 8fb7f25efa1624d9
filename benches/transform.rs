//! Speed of the transform on one thread. The events are about 1 KB long with 8 traits, as browsers
//! send them. The baseline is serde's `IgnoredAny`, which only skips the same bytes. `cargo bench
//! --bench transform` prints the ratios at the end.

use std::hint::black_box;
use std::time::Instant;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use serde::de::IgnoredAny;
use traitsink::event::{Body, Decision, Limits, Origin, Rules, SkipReason, Transformer, split};

/// Number of events; their users and values differ.
const EVENTS: usize = 256;

/// Rounds whose median is printed.
const ROUNDS: usize = 1001;

fn main() {
    divan::main();
    if !std::env::args().any(|arg| arg == "--test" || arg == "--list") {
        print_ratios();
    }
}

/// The event of one user; `kind` is its type.
fn event(n: usize, kind: &str) -> Vec<u8> {
    let age = (20 + n % 60).to_string();
    let score = (n as f64 / 8.0).to_string();
    let filled = include_str!("event.json")
        .trim_end()
        .replace("{kind}", kind)
        .replace("{n}", &format!("{n:04}"));
    filled.replace("\"{age}\"", &age).replace("\"{score}\"", &score).into_bytes()
}

fn one_in_five(n: usize) -> &'static str {
    if n.is_multiple_of(5) { "identify" } else { "track" }
}

fn events(kind: impl Fn(usize) -> &'static str) -> Vec<Vec<u8>> {
    (0..EVENTS).map(|n| event(n, kind(n))).collect()
}

fn rules() -> Rules {
    let limits = Limits {
        max_event: 1 << 20,
        max_depth: 200,
        max_fields: 10_000,
        max_key: 1 << 10,
        max_field_name: 1 << 10,
        max_update: 2 << 20,
    };
    Rules::new(limits, "Redis")
}

fn transform_all(transformer: &mut Transformer, rules: &Rules, events: &[Vec<u8>]) {
    for event in events {
        black_box(transformer.transform(rules, Origin::default(), black_box(event)));
    }
}

fn skip_all(events: &[Vec<u8>]) {
    for event in events {
        black_box(serde_json::from_slice::<IgnoredAny>(black_box(event))).ok();
    }
}

fn measure(bencher: Bencher, events: &[Vec<u8>], run: impl Fn() + Sync) {
    let bytes = events.iter().map(Vec::len).sum::<usize>();
    bencher.counter(ItemsCount::new(events.len())).counter(BytesCount::new(bytes)).bench(run);
}

#[divan::bench]
fn skip(bencher: Bencher) {
    let events = events(|_| "identify");
    measure(bencher, &events, || skip_all(&events));
}

#[divan::bench]
fn identify(bencher: Bencher) {
    let events = events(|_| "identify");
    with_transformer(bencher, &events, Transformer::default);
}

/// The slow path of the transform, which takes every event.
#[divan::bench]
fn identify_literal(bencher: Bencher) {
    let events = events(|_| "identify");
    with_transformer(bencher, &events, Transformer::literal);
}

/// Four of five events are not `identify`.
#[divan::bench]
fn mixed(bencher: Bencher) {
    let events = events(one_in_five);
    with_transformer(bencher, &events, Transformer::default);
}

/// Splits a body of 256 events.
#[divan::bench]
fn split_batch(bencher: Bencher) {
    let events = events(|_| "identify");
    let body = [b"{\"batch\":[".as_slice(), &events.join(b",".as_slice()), b"]}"].concat();
    measure(bencher, &events, || {
        if let Ok(Body::Batch(mut events)) = split(black_box(&body)) {
            while let Some(event) = events.next(&body) {
                black_box(&body[event]);
            }
        }
    });
}

#[divan::bench]
fn parse_timestamp() -> Option<jiff::Timestamp> {
    black_box("2026-01-02T03:04:05.678Z").parse().ok()
}

fn with_transformer(
    bencher: Bencher,
    events: &[Vec<u8>],
    transformer: impl Fn() -> Transformer + Sync,
) {
    let rules = rules();
    let bytes = events.iter().map(Vec::len).sum::<usize>();
    bencher
        .counter(ItemsCount::new(events.len()))
        .counter(BytesCount::new(bytes))
        .with_inputs(transformer)
        .bench_local_refs(|transformer| transform_all(transformer, &rules, events));
}

/// Runs transform and baseline in turn, and prints the medians of their ratios.
fn print_ratios() {
    let (rules, mut transformer) = (rules(), Transformer::default());
    for (name, events) in [
        ("all identify", events(|_| "identify")),
        ("20 % identify", events(one_in_five)),
        ("no identify", events(|_| "track")),
    ] {
        let decision = transformer.transform(&rules, Origin::default(), &events[0]);
        let is_usual = match &decision {
            Decision::Update(update) => update.field_count() == 8,
            other => *other == Decision::Skipped(SkipReason::NotIdentify),
        };
        assert!(is_usual, "{decision:?}");
        let mut rounds: Vec<[f64; 2]> = (0..ROUNDS)
            .map(|_| {
                let transform = seconds(|| transform_all(&mut transformer, &rules, &events));
                [transform, seconds(|| skip_all(&events))]
            })
            .collect();
        rounds.sort_by(|[a, b], [c, d]| (a / b).total_cmp(&(c / d)));
        let [transform, skip] = rounds[ROUNDS / 2].map(|seconds| seconds * 1e9 / EVENTS as f64);
        println!(
            "{name}, {} bytes an event: transform {transform:.0} ns, IgnoredAny {skip:.0} ns, CPU \
             over IgnoredAny {:.2}",
            events[0].len(),
            transform / skip,
        );
    }
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}
