//! Speed of the transform on one thread. The events are about 1 KB long with 8 traits, as browsers
//! send them. The baseline is serde's `IgnoredAny`, which only skips the same bytes. Ratios of the
//! two are a part of `cargo bench --bench throughput`.

#[path = "throughput/rules.rs"]
mod rules;

use std::hint::black_box;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use serde::de::IgnoredAny;
use traitsink::event::{Body, Origin, Rules, Transformer, split};

use self::rules::rules;

/// Number of events; their users and values differ.
const EVENTS: usize = 256;

fn main() {
    divan::main();
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
