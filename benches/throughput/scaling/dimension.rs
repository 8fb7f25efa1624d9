//! What is varied, and in which steps.

use super::axis::Scale;
use super::shape::Shape;

/// One plot.
pub(super) struct Dimension {
    /// Name of the plot's file.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What stands below the horizontal axis.
    pub(super) label: &'static str,
    pub(super) x: Scale,
    pub(super) y: Scale,
    /// Not where most events are skipped: they never reach Redis.
    pub(super) has_limit: bool,
    pub(super) points: Vec<Point>,
}

pub(super) struct Point {
    pub(super) x: f64,
    pub(super) shape: Shape,
    pub(super) setting: Option<String>,
}

/// The medians of one point.
pub(super) struct Measured {
    pub(super) x: f64,
    /// Events per second.
    pub(super) rate: f64,
    /// HSETs of the same fields per second.
    pub(super) limit: Option<f64>,
    /// Seconds of processor time per million events.
    pub(super) cpu: f64,
}

pub(super) fn dimensions() -> [Dimension; 6] {
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
