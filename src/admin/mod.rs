//! The listener for operators. Each file has the routes of one purpose: `probes.rs` has `/live`,
//! `/ready` and `/metrics`; `tap.rs` has `/api/tap`.

mod probes;
mod tap;

use std::sync::Arc;

use axum::Router;

use crate::metrics::Metrics;
use crate::readiness::Readiness;

pub use tap::routes as tap_routes;

/// The data behind the routes.
pub struct Admin {
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
}

impl Admin {
    /// Reads `metrics` and `readiness`, and sets `metrics.ready`.
    pub fn new(metrics: Arc<Metrics>, readiness: Arc<Readiness>) -> Self {
        Self { metrics, readiness }
    }

    /// The service that answers `GET` and `HEAD`, for the serving loop.
    pub fn into_router(self) -> Router {
        Router::new().merge(probes::routes(self.metrics, self.readiness))
    }
}
