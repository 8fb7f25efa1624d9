//! `[delivery]`: lanes, batches, retries, memory, stopping.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Mode;
use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::{As, OptionalCount, Size, Span, print_duration, print_size};

/// Above this the length of a packed update would no longer fit its 32 bits.
const MOST_IN_FLIGHT: usize = u32::MAX as usize;

/// From events to Redis: how many lanes, how large, how patient.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// Ordered parts of the keys, each with one connection and one write in flight. Default: 4; in
    /// a cluster 12; 4 for each shard.
    // 0 until it is known which kind of Redis it is.
    #[serde(with = "As::<OptionalCount>")]
    #[schemars(range(min = 1, max = 1024), example = 4)]
    pub lanes: usize,
    /// Memory for all bodies that are being read, messages and packed updates together.
    #[serde(with = "As::<Size>")]
    pub max_in_flight: usize,
    /// Events in one batch.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_batch: usize,
    /// Bytes in one batch; besides `max_in_flight`, each lane keeps a write buffer of this size.
    #[serde(with = "As::<Size>")]
    pub max_batch_bytes: usize,
    /// Failed tries in a row before Redis counts as down: not ready, and HTTP is refused at once.
    /// Trying goes on; nothing is dropped.
    #[schemars(range(min = 1, max = 100))]
    pub retry_count: u32,
    /// The first pause before a write is tried again; pauses grow.
    #[serde(with = "As::<Span>")]
    pub retry_min: Duration,
    /// The longest pause before a write is tried again.
    #[serde(with = "As::<Span>")]
    pub retry_max: Duration,
    /// After a stop signal: how long the worker is not ready and still accepts, so that load
    /// balancers notice.
    #[serde(with = "As::<Span>")]
    pub stop_delay: Duration,
    /// After a stop signal: how long events in flight may take to settle.
    #[serde(with = "As::<Span>")]
    pub stop_grace: Duration,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            lanes: 0,
            max_in_flight: 32 << 20,
            max_batch: 512,
            max_batch_bytes: 1 << 20,
            retry_count: 5,
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_secs(5),
            stop_delay: Duration::ZERO,
            stop_grace: Duration::from_secs(20),
        }
    }
}

impl Delivery {
    /// Checks the section, and decides how many lanes there are.
    pub(crate) fn resolve(self, redis: &Mode, report: &mut ConfigReport) -> Self {
        report.not_zero("delivery.retry_min", Span(self.retry_min));
        report.ordered(
            ("delivery.retry_min", print_duration(&self.retry_min)),
            ("delivery.retry_max", print_duration(&self.retry_max)),
            self.retry_min <= self.retry_max,
        );
        report.ordered(
            ("delivery.max_batch_bytes", print_size(&(self.max_batch_bytes as u64))),
            ("delivery.max_in_flight", print_size(&(self.max_in_flight as u64))),
            self.max_batch_bytes <= self.max_in_flight,
        );
        if self.max_in_flight > MOST_IN_FLIGHT {
            report.error("delivery.max_in_flight", "must be less than 4GiB");
        }
        Self { lanes: self.lanes(redis, report), ..self }
    }

    fn lanes(&self, redis: &Mode, report: &mut ConfigReport) -> usize {
        let typed = Some(self.lanes).filter(|lanes| *lanes > 0);
        let nodes = redis.primaries();
        if let Some(lanes) = typed
            && redis.is_sharded()
            && lanes < nodes
        {
            report.error(
                "delivery.lanes",
                format_args!("{lanes} are too few for {nodes} shards: each needs one of its own"),
            );
        }
        typed.unwrap_or(4 * nodes)
    }
}
