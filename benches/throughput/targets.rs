//! The rows of the table, and where each of them should be.

/// What a row measures. A ratio is of two figures of the same round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    KafkaAllRate,
    KafkaAllCpu,
    KafkaMixedRate,
    KafkaMixedCpu,
    KafkaShare,
    PeerShare,
    FileShare,
    BatchShare,
    HttpRate,
    HttpCpu,
    HttpLatency,
    TransformAll,
    TransformMixed,
    Memory,
    Start,
    Cores,
    PollingThread,
}

/// Whether a figure should be large or small.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
}

pub(super) struct Target {
    pub(super) row: Row,
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    /// The figure of 28 November 2026.
    pub(super) before: &'static str,
    pub(super) at_least: Option<f64>,
    pub(super) aim: Option<f64>,
    pub(super) better: Better,
}

impl Target {
    /// The best goal that `figure` reaches, in words.
    pub(super) fn reached(&self, figure: f64) -> &'static str {
        let reaches = |goal: Option<f64>| {
            goal.is_some_and(|goal| match self.better {
                Better::More => figure >= goal,
                Better::Less => figure <= goal,
            })
        };
        match (reaches(self.aim), reaches(self.at_least)) {
            (true, _) => "aim",
            (false, true) => "at least",
            (false, false) if self.at_least.is_none() => "",
            (false, false) => "**no**",
        }
    }
}

use Better::{Less, More};

const fn target(
    row: Row,
    what: &'static str,
    before: &'static str,
    better: Better,
    goals: (f64, f64),
) -> Target {
    let (at_least, aim) = (Some(goals.0), Some(goals.1));
    Target { row, what, unit: "", before, at_least, aim, better }
}

/// A row with a unit, and with as many goals as it has.
const fn other(
    row: Row,
    what: &'static str,
    unit: &'static str,
    before: &'static str,
    goals: (Option<f64>, Option<f64>),
) -> Target {
    Target { row, what, unit, before, at_least: goals.0, aim: goals.1, better: Less }
}

/// The rows that need Kafka.
#[cfg(not(feature = "kafka"))]
pub(super) const KAFKA_ROWS: [Row; 9] = [
    Row::KafkaAllRate,
    Row::KafkaAllCpu,
    Row::KafkaMixedRate,
    Row::KafkaMixedCpu,
    Row::KafkaShare,
    Row::PeerShare,
    Row::Memory,
    Row::Cores,
    Row::PollingThread,
];

pub(super) const TARGETS: [Target; 17] = [
    target(
        Row::KafkaAllRate,
        "Kafka, all identify: events/s over the Go program's",
        "1.2",
        More,
        (1.7, 2.0),
    ),
    target(Row::KafkaAllCpu, "– CPU over its CPU", "0.95", Less, (0.65, 0.5)),
    target(
        Row::KafkaMixedRate,
        "Kafka, 20 % identify: events/s over the Go program's",
        "1.0",
        More,
        (1.5, 2.0),
    ),
    target(Row::KafkaMixedCpu, "– CPU over its CPU", "1.07", Less, (0.7, 0.55)),
    target(Row::KafkaShare, "Kafka → Redis over the limit", "0.52", More, (0.7, 0.85)),
    other(Row::PeerShare, "– the Go program over the limit", "", "0.35–0.43", (None, None)),
    target(Row::FileShare, "file → Redis over the limit", "0.65", More, (0.85, 0.95)),
    target(
        Row::BatchShare,
        "HTTP `/v1/batch` of 100 → Redis over the limit",
        "0.53",
        More,
        (0.65, 0.8),
    ),
    target(
        Row::HttpRate,
        "HTTP identify, 64 connections: requests/s over bare hyper",
        "0.6",
        More,
        (0.75, 0.85),
    ),
    target(Row::HttpCpu, "– CPU over bare hyper", "2.0", Less, (1.6, 1.4)),
    target(
        Row::HttpLatency,
        "HTTP identify, one connection: p50 over (bare hyper + `HSET`)",
        "1.1–1.8",
        Less,
        (1.3, 1.1),
    ),
    target(
        Row::TransformAll,
        "transform, all identify: CPU over `IgnoredAny` of the same bytes",
        "2.9",
        Less,
        (1.9, 1.4),
    ),
    target(Row::TransformMixed, "– 20 % identify", "", Less, (1.3, 1.0)),
    other(
        Row::Memory,
        "largest resident memory, full load from Kafka",
        "MiB",
        "104–124",
        (Some(80.0), Some(64.0)),
    ),
    other(Row::Start, "start to ready, Redis is up", "ms", "", (Some(100.0), Some(40.0))),
    Target {
        row: Row::Cores,
        what: "worker on all cores over worker on half of them: events/s from Kafka",
        unit: "",
        before: "",
        at_least: None,
        aim: None,
        better: More,
    },
    other(
        Row::PollingThread,
        "share of the polling thread in the worker's CPU",
        "",
        "0.62",
        (Some(0.25), None),
    ),
];
