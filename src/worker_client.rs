//! Requests to the admin listener of a running worker: for `top`, `tap`, `check --live`, and for
//! the worker's own signs of life.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::Tls;
use crate::printable::printable;
use crate::tls::TlsClient;

/// Where a worker's admin listener is by default.
pub const DEFAULT_URL: &str = "http://127.0.0.1:9464";
/// Time limit from the look-up of the name to the head of the answer, and for a whole answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of an answer, at most.
const MAX_ANSWER: usize = 16 << 20;

/// The admin listener of one worker.
pub struct WorkerClient {
    /// Its URL, as it was given.
    pub name: String,
    host: String,
    authority: String,
    port: u16,
    /// The path before `/api/..`, without a slash at its end.
    base: String,
    /// `None`: plain HTTP.
    tls: Option<TlsClient>,
}

/// Why a worker gave no answer. Holds no text that a terminal obeys.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("cannot connect ({0}): does a worker run there, and is it its admin.listen?")]
    Connect(io::Error),
    #[error("the TLS handshake failed ({0})")]
    Handshake(io::Error),
    #[error("no answer within {TIMEOUT:?}")]
    Timeout,
    #[error("the connection broke ({0})")]
    Broken(hyper::Error),
    #[error("the answer is too long or broke off")]
    Cut,
    #[error("{message}")]
    Refused { message: String },
    #[error("this is no answer of a worker that this program understands ({0})")]
    Unreadable(String),
}

/// The body of a refusal.
#[derive(Deserialize)]
struct RefusalBody {
    message: String,
}

/// A TCP or TLS stream.
trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> ClientStream for S {}

impl WorkerClient {
    /// The worker at `url`: the base of its admin listener; `http://` may be left out.
    ///
    /// # Errors
    /// It is no such URL, which is not quoted as it may hold a password; or the system has no
    /// certificates for `https://`.
    pub fn at(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the URL {why}, such as {DEFAULT_URL}");
        let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = whole.parse().map_err(|_| wrong("is not one"))?;
        let tls = match uri.scheme_str() {
            Some("http") => None,
            Some("https") => Some(
                TlsClient::new(&Tls::default())
                    .map_err(|error| format!("{}: {error}", printable(url)))?,
            ),
            _ => return Err(wrong("must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(wrong("must be a host, a port and perhaps a path"));
        }
        Ok(Self {
            name: printable(url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/')),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            authority: authority.to_string(),
            port: uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 }),
            base: uri.path().trim_end_matches('/').to_owned(),
            tls,
        })
    }

    /// The listener of this process that is bound to `address`.
    pub fn of(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let authority = SocketAddr::new(ip, address.port()).to_string();
        Self {
            name: authority.clone(),
            host: ip.to_string(),
            authority,
            port: address.port(),
            base: String::new(),
            tls: None,
        }
    }

    /// Succeeds when the worker makes progress: `/live` is answered 200 within three seconds.
    ///
    /// # Errors
    /// There is no such answer.
    pub async fn live(&self) -> Result<(), NoAnswer> {
        self.open("/live").await.map(drop)
    }

    /// The whole answer to `GET` on `path`.
    ///
    /// # Errors
    /// There is none within three seconds, or it is not 200.
    pub async fn fetch(&self, path: &str) -> Result<Bytes, NoAnswer> {
        let answer = self.open(path).await?;
        timeout(TIMEOUT, whole(answer)).await.map_err(|_| NoAnswer::Timeout)?
    }

    /// Begins to read the answer to `GET` on `path`, which may go on for long.
    ///
    /// # Errors
    /// Its head does not come within three seconds, or it is not 200.
    pub async fn open(&self, path: &str) -> Result<Response<Incoming>, NoAnswer> {
        let answer =
            timeout(TIMEOUT, self.request(path)).await.map_err(|_| NoAnswer::Timeout)??;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        let status = answer.status();
        let body = timeout(TIMEOUT, whole(answer)).await.map_err(|_| NoAnswer::Timeout)?;
        let message = body
            .ok()
            .and_then(|body| serde_json::from_slice::<RefusalBody>(&body).ok())
            .map_or_else(
                || format!("it answers {status}: is it the admin listener of a worker?"),
                |refusal| printable(&refusal.message),
            );
        Err(NoAnswer::Refused { message })
    }

    async fn request(&self, path: &str) -> Result<Response<Incoming>, NoAnswer> {
        let stream =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(NoAnswer::Connect)?;
        let stream: Box<dyn ClientStream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(
                tls.connect(&self.host, stream)
                    .await
                    .map_err(|failed| NoAnswer::Handshake(failed.error))?,
            ),
        };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(NoAnswer::Broken)?;
        // Ends with the answer, or when the answer is dropped.
        tokio::spawn(connection);
        let request = Request::get(format!("{}{path}", self.base))
            .header(HOST, &self.authority)
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .expect("parts of a URI that was parsed");
        sender.send_request(request).await.map_err(NoAnswer::Broken)
    }
}

async fn whole(answer: Response<Incoming>) -> Result<Bytes, NoAnswer> {
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    Ok(body.map_err(|_| NoAnswer::Cut)?.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_the_base_of_a_listener() {
        for (url, name, host, port, base) in [
            (DEFAULT_URL, "127.0.0.1:9464", "127.0.0.1", 9464, ""),
            ("worker-1:9464", "worker-1:9464", "worker-1", 9464, ""),
            ("http://[::1]:9464/", "[::1]:9464", "::1", 9464, ""),
            ("http://proxy/worker/1/", "proxy/worker/1", "proxy", 80, "/worker/1"),
        ] {
            let worker = WorkerClient::at(url).unwrap();
            assert_eq!(
                (&*worker.name, &*worker.host, worker.port, &*worker.base),
                (name, host, port, base)
            );
        }
        for (url, why) in [
            ("", "the URL is not one, such as http://127.0.0.1:9464"),
            ("ftp://a", "the URL must begin with http:// or https://, such as"),
            ("http://u:p@a", "must be a host, a port and perhaps a path, such as"),
            ("http://a?b=c", "must be a host, a port and perhaps a path, such as"),
        ] {
            let error = WorkerClient::at(url).err().unwrap();
            assert!(error.contains(why) && !error.contains("u:p"), "{url}: {error}");
        }
    }

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_this_machine() {
        for (address, authority) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:2", "[::1]:2"), ("10.0.0.1:3", "10.0.0.1:3")]
        {
            assert_eq!(WorkerClient::of(address.parse().unwrap()).authority, authority);
        }
    }
}
