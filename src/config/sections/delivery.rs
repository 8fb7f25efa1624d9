//! `[delivery]`: lanes, batches, retries, memory, stopping.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Mode;
use crate::config::engine::report::Report;
use crate::config::engine::units::{Size, Span, print_duration, print_size};

/// Above this the length of a packed update would no longer fit its 32 bits.
const MOST_IN_FLIGHT: u64 = u32::MAX as u64;

#[derive(Debug, Clone)]
pub struct Delivery {
    pub lanes: usize,
    /// Bytes: bodies being read, messages, packed updates.
    pub max_in_flight: usize,
    /// Events in one pipeline.
    pub max_batch: usize,
    pub max_batch_bytes: usize,
    /// Failures in a row before a lane counts as down.
    pub retry_count: u32,
    pub retry_min: Duration,
    pub retry_max: Duration,
    pub stop_delay: Duration,
    pub stop_grace: Duration,
}

/// From events to Redis: how many side by side, how large, how patient.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawDelivery {
    /// Ordered shards of the keys, each with one connection and one write in flight.
    /// Default: 4; in a cluster 12; 4 for each shard.
    #[schemars(range(min = 1, max = 1024))]
    lanes: Option<usize>,
    /// Memory for all bodies, messages and packed commands together.
    pub(crate) max_in_flight: Size,
    /// Events in one pipeline.
    #[schemars(range(min = 1, max = 100_000))]
    max_batch: usize,
    /// Bytes in one pipeline.
    max_batch_bytes: Size,
    /// Failed tries in a row before Redis counts as down: not ready, and HTTP is refused at once.
    /// Trying goes on; nothing is dropped.
    #[schemars(range(min = 1, max = 100))]
    retry_count: u32,
    /// The first pause before a write is tried again.
    retry_min: Span,
    /// The longest pause before a write is tried again.
    retry_max: Span,
    /// After a stop signal: not ready, still accepting, so that load balancers notice.
    stop_delay: Span,
    /// After a stop signal: how long events in flight may take to settle.
    stop_grace: Span,
}

impl Default for RawDelivery {
    fn default() -> Self {
        Self {
            lanes: None,
            max_in_flight: Size::mib(32),
            max_batch: 512,
            max_batch_bytes: Size::mib(1),
            retry_count: 5,
            retry_min: Span::millis(50),
            retry_max: Span::secs(5),
            stop_delay: Span::secs(0),
            stop_grace: Span::secs(20),
        }
    }
}

impl RawDelivery {
    pub(crate) fn resolve(&self, redis: &Mode, report: &mut Report) -> Delivery {
        report.not_zero("delivery.retry_min", self.retry_min);
        report.ordered(
            ("delivery.retry_min", print_duration(&self.retry_min.0)),
            ("delivery.retry_max", print_duration(&self.retry_max.0)),
            self.retry_min <= self.retry_max,
        );
        report.ordered(
            ("delivery.max_batch_bytes", print_size(&self.max_batch_bytes.0)),
            ("delivery.max_in_flight", print_size(&self.max_in_flight.0)),
            self.max_batch_bytes <= self.max_in_flight,
        );
        if self.max_in_flight.0 > MOST_IN_FLIGHT {
            report.error("delivery.max_in_flight", "must be less than 4GiB");
        }
        Delivery {
            lanes: self.lanes(redis, report),
            max_in_flight: self.max_in_flight.bytes(),
            max_batch: self.max_batch,
            max_batch_bytes: self.max_batch_bytes.bytes(),
            retry_count: self.retry_count,
            retry_min: self.retry_min.0,
            retry_max: self.retry_max.0,
            stop_delay: self.stop_delay.0,
            stop_grace: self.stop_grace.0,
        }
    }

    fn lanes(&self, redis: &Mode, report: &mut Report) -> usize {
        // Nodes that take writes; a cluster has three at least.
        let nodes = match redis {
            Mode::Cluster(_) => 3,
            Mode::Sharded(shards) => shards.len(),
            _ => 1,
        };
        if let (Some(lanes), Mode::Sharded(_)) = (self.lanes, redis)
            && lanes < nodes
        {
            report.error(
                "delivery.lanes",
                format_args!("{lanes} are too few for {nodes} shards: each needs one of its own"),
            );
        }
        self.lanes.unwrap_or(4 * nodes)
    }

    /// What `valid` came to, in the form that is typed.
    pub(crate) fn effective(self, valid: &Delivery) -> Self {
        Self { lanes: Some(valid.lanes), ..self }
    }
}
