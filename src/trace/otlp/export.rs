//! From the environment to a running exporter, and its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use hyper::Uri;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use tokio::runtime::Handle;

use super::TRACER;
use super::collector::{CollectorClient, is_tls};
use super::settings::{self, ExportSettings};
use crate::tls::TlsClient;

/// How long the last spans may take.
const LAST_SPANS: Duration = Duration::from_secs(1);
/// The same when the collector could not be reached before.
const LAST_TRY: Duration = Duration::from_millis(100);

const NAME: &str = env!("CARGO_PKG_NAME");

/// The running exporter. A thread of its own sends the spans; while they wait, at most
/// `OTEL_BSP_MAX_QUEUE_SIZE` of them (2048) do, and further ones are dropped.
pub(in crate::trace) struct Exporter {
    provider: SdkTracerProvider,
    failing: Arc<AtomicBool>,
}

/// The exporter for the collector that the environment names.
pub(in crate::trace) fn start() -> Option<Exporter> {
    let variable = |name: &str| std::env::var(name).ok();
    match settings::read(variable).and_then(|found| found.map(export).transpose()) {
        Ok(exporter) => exporter,
        Err(why) => {
            tracing::warn!("no spans are sent: {why}");
            None
        }
    }
}

fn export(settings: ExportSettings) -> Result<Exporter, String> {
    let endpoint = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|text| !text.trim().is_empty()))
        .and_then(|text| text.trim().parse::<Uri>().ok())
        .filter(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")))
        .ok_or("OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http://127.0.0.1:4318")?;
    let tls = if is_tls(&endpoint) {
        Some(TlsClient::new(&settings.tls).map_err(|error| error.to_string())?)
    } else {
        None
    };
    let client = CollectorClient::new(Handle::current(), tls, settings.timeout);
    let failing = client.failing();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .build()
        .map_err(|error| error.to_string())?;
    let provider = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_span_processor(BatchSpanProcessor::builder(exporter).build())
        .build();
    if TRACER.set(provider.tracer(NAME)).is_err() {
        return Err("they are sent already".to_owned());
    }
    tracing::info!(host = endpoint.host(), "spans are sent to a collector");
    Ok(Exporter { provider, failing })
}

/// What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say of this process; the name of the
/// program where they name no service.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = || Resource::builder().with_attribute(version.clone());
    let name = resource().build().get(&Key::from_static_str("service.name"));
    match name {
        Some(name) if !name.as_str().starts_with("unknown_service") => resource().build(),
        _ => resource().with_service_name(NAME).build(),
    }
}

impl Exporter {
    pub(in crate::trace) async fn finish(self) {
        let limit = if self.failing.load(Relaxed) { LAST_TRY } else { LAST_SPANS };
        let ended = tokio::task::spawn_blocking(move || {
            // Says only that spans were lost, which the client has logged.
            let _ = self.provider.shutdown_with_timeout(limit);
        });
        // The library's own limit is not its last word: the exit does not wait for threads.
        let _ = tokio::time::timeout(limit + LAST_TRY, ended).await;
    }
}
