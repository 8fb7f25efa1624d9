//! Delivery that ends before Redis: what would be written is counted, and nothing is kept.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::dead_letter::DeadLetters;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::pipeline::{Budget, Intake, settle_unwritten};
use crate::redis::Placement;

/// The parts of a [`super::Delivery`] that decide on events.
pub struct DryDelivery {
    /// Where sources offer their events.
    pub intake: Arc<Intake>,
    /// Keeps nothing.
    pub letters: DeadLetters,
    /// The metrics of the whole process.
    pub metrics: Arc<Metrics>,
    lanes: TaskTracker,
}

impl DryDelivery {
    /// Opens nothing, and connects to nothing.
    pub fn start(config: &Config, lifecycle: &Lifecycle) -> Self {
        let metrics = Arc::new(Metrics::new());
        let delivery = &config.delivery;
        let budget = Budget::new(delivery.max_in_flight, metrics.in_flight_bytes.clone());
        let placement = Placement::by_slot(delivery.lanes);
        let intake = Arc::new(Intake::new(config.rules.clone(), budget, placement));
        let lanes = TaskTracker::new();
        for queue in intake.queues() {
            let queue = Arc::clone(queue);
            lifecycle.spawn(&lanes, "lane", async move { settle_unwritten(&queue).await });
        }
        let letters = DeadLetters::none(config.log.user_ids);
        Self { intake, letters, metrics, lanes }
    }

    /// Takes no more events, and returns when those that were taken are settled.
    pub async fn finish(&self) {
        self.intake.close();
        self.lanes.close();
        self.lanes.wait().await;
    }
}
