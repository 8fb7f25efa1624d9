//! How speed depends on the events and on the settings: files of different events into Redis,
//! beside what Redis takes of the same fields. Writes the plots of `docs/performance/` and their
//! tables in `docs/performance.md`.

mod axis;
mod page;
mod plot;
mod shape;

use std::path::Path;

use super::file::{Replayed, replay};
use super::redis::{BenchServer, limit};
use super::report::{median, plain};

use axis::Scale;
use shape::Shape;

/// Rounds of each point.
const ROUNDS: usize = 3;
/// Events of a point, unless they are so large that their file would be larger than this.
const EVENTS: u64 = 400_000;
const FILE: u64 = 300 << 20;

/// One plot.
struct Dimension {
    /// Name of the plot's file.
    name: &'static str,
    title: &'static str,
    /// What stands below the horizontal axis.
    label: &'static str,
    x: Scale,
    y: Scale,
    /// Not where most events are skipped: they never reach Redis.
    has_limit: bool,
    points: Vec<Point>,
}

struct Point {
    x: f64,
    shape: Shape,
    setting: Option<String>,
}

/// The medians of one point.
struct Measured {
    x: f64,
    /// Events per second.
    rate: f64,
    /// HSETs of the same fields per second.
    limit: Option<f64>,
    /// Seconds of processor time per million events.
    cpu: f64,
}

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

fn dimensions() -> [Dimension; 6] {
    let usual = Shape::usual;
    [
        Dimension {
            name: "traits",
            title: "Number of traits",
            label: "traits of an event",
            x: Scale::Log,
            y: Scale::Log,
            has_limit: true,
            points: points(&[1, 3, 10, 30, 100, 300, 1000], |traits| {
                (Shape { traits, ..usual() }, None)
            }),
        },
        Dimension {
            name: "size",
            title: "Size of an event with three traits",
            label: "bytes of an event",
            x: Scale::Log,
            y: Scale::Log,
            has_limit: true,
            points: points(
                &[200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000],
                |size| (Shape { traits: 3, size, ..usual() }, None),
            ),
        },
        Dimension {
            name: "users",
            title: "Number of different users",
            label: "users",
            x: Scale::Log,
            y: Scale::Linear,
            has_limit: true,
            points: points(&[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000], |users| {
                (Shape { users: users as u64, ..usual() }, None)
            }),
        },
        Dimension {
            name: "lanes",
            title: "Number of lanes",
            label: "delivery.lanes",
            x: Scale::Log,
            y: Scale::Linear,
            has_limit: true,
            points: points(&[1, 2, 4, 8, 16, 32], |lanes| {
                (usual(), Some(format!("delivery.lanes={lanes}")))
            }),
        },
        Dimension {
            name: "batch",
            title: "Events in one batch",
            label: "delivery.max_batch",
            x: Scale::Log,
            y: Scale::Linear,
            has_limit: true,
            points: points(&[1, 4, 16, 64, 128, 256, 512, 1024, 2048], |batch| {
                (usual(), Some(format!("delivery.max_batch={batch}")))
            }),
        },
        Dimension {
            name: "skipped",
            title: "Share of events that are not identify",
            label: "% of the events",
            x: Scale::Linear,
            y: Scale::Linear,
            has_limit: false,
            points: points(&[0, 20, 40, 60, 80, 90, 100], |skipped| {
                (Shape { skipped: skipped as u64, ..usual() }, None)
            }),
        },
    ]
}

fn points(xs: &[usize], point: impl Fn(usize) -> (Shape, Option<String>)) -> Vec<Point> {
    let point = |x: &usize| {
        let (shape, setting) = point(*x);
        Point { x: *x as f64, shape, setting }
    };
    xs.iter().map(point).collect()
}
