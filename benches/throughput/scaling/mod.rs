//! How speed depends on the events and on the settings: files of different events into Redis,
//! beside what Redis takes of the same fields. Writes the plots of `docs/performance/` and their
//! tables in `docs/performance.md`.

mod axis;
mod dimension;
mod page;
mod plot;
mod shape;

use std::path::Path;

use super::file::{Replayed, replay};
use super::redis::{BenchServer, limit};
use super::report::{median, plain};

use dimension::{Measured, Point, dimensions};

/// Rounds of each point.
const ROUNDS: usize = 3;
/// Events of a point, unless they are so large that their file would be larger than this.
const EVENTS: u64 = 400_000;
const FILE: u64 = 300 << 20;

pub(super) fn measure(facts: &str, dir: &Path) {
    let redis = BenchServer::start(dir);
    let mut measured = Vec::new();
    for dimension in dimensions() {
        println!("{}", dimension.title);
        let points = dimension.points.iter();
        let points = points.map(|point| measure_point(&redis, dir, point, dimension.has_limit));
        let points = points.collect::<Vec<_>>();
        measured.push((dimension, points));
    }
    page::write(facts, &measured);
}

fn measure_point(redis: &BenchServer, dir: &Path, point: &Point, has_limit: bool) -> Measured {
    let path = dir.join("scaling.ndjson");
    let events = point.shape.write(&path, EVENTS, FILE);
    let url = format!("redis.url={}", redis.url());
    let settings: Vec<&str> = [url.as_str()].into_iter().chain(point.setting.as_deref()).collect();
    let (mut rates, mut cpus, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        redis.clear();
        if has_limit {
            let (fields, users) = (point.shape.fields(0), point.shape.users);
            limits.push(limit(redis.port, &[], &fields, users, events.min(200_000)));
            redis.clear();
        }
        let Replayed { rate, cpu } = replay(&settings, &path, dir, events);
        rates.push(rate);
        cpus.push(cpu);
    }
    let (rate, cpu) = (median(&rates), median(&cpus));
    let limit = has_limit.then(|| median(&limits));
    println!(
        "  {}: {events} events, {} events/s, {cpu:.1} CPU s per million, limit {}",
        point.x,
        plain(rate),
        limit.map_or_else(|| "-".to_owned(), plain)
    );
    Measured { x: point.x, rate, limit, cpu }
}
