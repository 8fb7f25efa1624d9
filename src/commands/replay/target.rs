//! What a replay writes to.

use std::sync::Arc;

use crate::app::{Delivery, DryDelivery, StartError};
use crate::config::Config;
use crate::dead_letter::DeadLetters;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::pipeline::Intake;
use crate::readiness::Readiness;

/// Redis and the dead letters, or nothing.
pub(super) enum ReplayTarget {
    Real(Box<Delivery>),
    Dry(DryDelivery),
}

impl ReplayTarget {
    /// # Errors
    /// As [`Delivery::start`].
    pub(super) async fn start(
        dry: bool,
        config: &Config,
        readiness: Arc<Readiness>,
        lifecycle: &Lifecycle,
    ) -> Result<Self, StartError> {
        if dry {
            return Ok(Self::Dry(DryDelivery::start(config, lifecycle)));
        }
        let delivery = Delivery::start(config, readiness, lifecycle, false).await?;
        Ok(Self::Real(Box::new(delivery)))
    }

    /// Where events are offered, where rejected ones go, and where they are counted.
    pub(super) fn parts(&self) -> (Arc<Intake>, DeadLetters, Arc<Metrics>) {
        let (intake, letters, metrics) = match self {
            Self::Real(delivery) => (&delivery.intake, &delivery.letters, &delivery.metrics),
            Self::Dry(delivery) => (&delivery.intake, &delivery.letters, &delivery.metrics),
        };
        (Arc::clone(intake), letters.clone(), Arc::clone(metrics))
    }

    /// Takes no more events, and delivers those that were taken.
    pub(super) async fn finish(&self) {
        match self {
            Self::Real(delivery) => delivery.finish().await,
            Self::Dry(delivery) => delivery.finish().await,
        }
    }
}
