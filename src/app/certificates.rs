//! Keeps the metric of when certificates end.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::redis::Route;
use crate::tls;

/// How often the files and the chains of the servers are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Looks at Redis's certificates from time to time, for ever. Kafka's are read once: its client
/// does not read them again.
pub(super) fn watch(config: &Config, route: Route, metrics: Arc<Metrics>) {
    let kafka = config.kafka.as_ref().and_then(|kafka| kafka.client.tls.as_ref());
    metrics.set_certificate_end("kafka", kafka.and_then(tls::first_end));
    if config.redis.tls.is_none() && config.redis.mode.sentinel_tls().is_none() {
        return;
    }
    tokio::spawn(async move {
        let mut every = tokio::time::interval(EVERY);
        loop {
            every.tick().await;
            let route = route.clone();
            let reading = tokio::task::spawn_blocking(move || route.certificate_end());
            if let Ok(ends) = reading.await {
                metrics.set_certificate_end("redis", ends);
            }
        }
    });
}
