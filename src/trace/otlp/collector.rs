//! The HTTP client that sends spans: on the worker's own runtime and TLS, one connection for each
//! request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use crate::logging::Throttle;
use crate::tls::TlsClient;

/// Bytes of an answer's body, at most.
const MAX_ANSWER: usize = 1 << 20;
/// A collector that is away is mentioned this often.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Sends requests to the collector, and logs now and then that it cannot.
pub(super) struct CollectorClient {
    pub(super) runtime: Handle,
    /// For `https`.
    pub(super) tls: Option<Arc<TlsClient>>,
    pub(super) timeout: Duration,
    failing: Arc<AtomicBool>,
    log: Throttle,
}

impl CollectorClient {
    pub(super) fn new(runtime: Handle, tls: Option<TlsClient>, timeout: Duration) -> Self {
        let (tls, failing) = (tls.map(Arc::new), Arc::default());
        Self { runtime, tls, timeout, failing, log: Throttle::new(LOG_EVERY) }
    }

    /// True after the last request failed.
    pub(super) fn failing(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.failing)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let uri = request.uri().clone();
        let (tls, timeout) = (self.tls.clone(), self.timeout);
        // The caller is a thread without a runtime.
        let sent = self.runtime.spawn(async move {
            let exchange = exchange(tls.as_deref(), request);
            let late = |_| format!("no answer within {timeout:?}").into();
            tokio::time::timeout(timeout, exchange)
                .await
                .unwrap_or_else(|elapsed| Err(late(elapsed)))
        });
        let answer = sent.await.unwrap_or_else(|ended| Err(ended.into()));
        let why = match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(refusal(answer.status())),
            Err(error) => Some(error.to_string()),
        };
        self.failing.store(why.is_some(), Relaxed);
        if let Some(why) = why
            && let Some(requests) = self.log.admit(1)
        {
            let collector = format!("{}:{}", host(&uri), port(&uri));
            tracing::warn!(
                collector,
                requests,
                "spans cannot be sent: {why}; they are dropped while this lasts, and nothing else \
                 is affected"
            );
        }
        answer
    }
}

impl std::fmt::Debug for CollectorClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CollectorClient")
    }
}

impl HttpClient for CollectorClient {
    fn send_bytes<'client, 'sending>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sending>>
    where
        'client: 'sending,
        Self: 'sending,
    {
        Box::pin(self.send(request))
    }
}

fn refusal(status: StatusCode) -> String {
    let hint = match status.as_u16() {
        401 | 403 => " (are OTEL_EXPORTER_OTLP_HEADERS right?)",
        404 => " (does OTEL_EXPORTER_OTLP_ENDPOINT lead to an OTLP port for HTTP?)",
        _ => "",
    };
    format!("the collector answers {}{hint}", status.as_u16())
}

fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_matches(['[', ']'])
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if is_tls(uri) { 443 } else { 80 })
}

pub(super) fn is_tls(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

async fn exchange(
    tls: Option<&TlsClient>,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let uri = request.uri();
    let stream = TcpStream::connect((host(uri), port(uri)))
        .await
        .map_err(|error| format!("cannot connect ({error})"))?;
    match tls.filter(|_| is_tls(uri)) {
        None => over(stream, request).await,
        Some(tls) => {
            let stream = tls.connect(host(uri), stream).await.map_err(|failed| {
                format!(
                    "the TLS handshake failed ({}): set OTEL_EXPORTER_OTLP_CERTIFICATE to the CA \
                     file of the collector",
                    failed.error
                )
            })?;
            over(stream, request).await
        }
    }
}

/// One request and its answer on `stream`.
async fn over<S>(stream: S, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let authority = request.uri().authority().map_or("", |authority| {
        // Without credentials.
        authority.as_str().rsplit('@').next().unwrap_or_default()
    });
    let authority = HeaderValue::from_str(authority)?;
    request.headers_mut().insert(HOST, authority);
    *request.uri_mut() =
        request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
    let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
    driver.abort();
    Ok(Response::from_parts(head, body))
}
