//! Tells the log about errors of the disk, of which a client is told little.

use std::time::Duration;

use crate::logging::Throttle;

static FAILURES: Throttle = Throttle::new(Duration::from_secs(10));

/// Passes `error` on, and logs it unless one was logged a moment ago.
pub(super) fn logged<E: std::fmt::Display>(error: E) -> E {
    if let Some(times) = FAILURES.admit(1) {
        tracing::warn!(times, "a request to the deletion API is not answered 200: {error}");
    }
    error
}
