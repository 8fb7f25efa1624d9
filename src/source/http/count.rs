//! Counts answers in `traitsink_http_requests_total`.

use std::sync::Arc;

use prometheus::IntCounter;

use crate::metrics::Metrics;

use super::paths::PATHS;

/// The counters of answers.
pub(super) struct RequestCounts {
    metrics: Arc<Metrics>,
    /// Those with status 200, for each of [`PATHS`].
    ok: [IntCounter; PATHS.len()],
}

impl RequestCounts {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        let ok = PATHS.map(|(path, _)| metrics.http_request(path, 200));
        Self { metrics, ok }
    }

    /// Counts an answer to the path at `route` of [`PATHS`]; `None`: to another one.
    pub(super) fn answered(&self, route: Option<usize>, status: u16) {
        match (route, status) {
            (Some(at), 200) => self.ok[at].inc(),
            (Some(at), _) => self.metrics.http_request(PATHS[at].0, status).inc(),
            (None, _) => self.metrics.http_request("other", status).inc(),
        }
    }
}
