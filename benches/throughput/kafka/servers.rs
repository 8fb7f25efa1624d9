//! The servers that a run of either program needs, and the figures of such a run.

use crate::harness::kafka::Kafka;
use crate::redis::BenchServer;

/// The brokers and servers that all runs share.
pub(super) struct Servers {
    pub(super) kafka: Kafka,
    pub(super) redis: BenchServer,
    /// Events of each topic.
    pub(super) events: u64,
}

/// Figures of one run of a program.
pub(super) struct Consumed {
    /// Events per second from the first write on: start and joining the group do not count.
    pub(super) rate: f64,
    /// Seconds of processor time per million events, from the start of the process.
    pub(super) cpu: f64,
}
