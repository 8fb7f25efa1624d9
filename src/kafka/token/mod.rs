//! Tokens for SASL OAUTHBEARER: the client-credentials grant of RFC 6749, section 4.4.

mod reply;

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rdkafka::client::OAuthToken;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use self::reply::TokenRefusal;
use super::ClientError;
use crate::config::{Sasl, Tls, token_url_error};
use crate::tls::TlsClient;

/// Time limit for one token, from the look-up of the name to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a reply's body, at most.
const MAX_REPLY: usize = 1 << 20;
/// Bytes that are escaped in `application/x-www-form-urlencoded`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// Fetches tokens from one endpoint.
pub struct TokenSource {
    host: String,
    port: u16,
    uri: Uri,
    /// `None`: plain HTTP, on this machine.
    tls: Option<TlsClient>,
    client_id: String,
    authorization: HeaderValue,
    form: String,
}

/// Why there is no token. Holds no secret, and of the endpoint's text only its error code.
#[derive(Debug, thiserror::Error)]
enum TokenError {
    #[error(
        "cannot connect ({0}): is kafka.sasl.token_url right, and can it be reached from here?"
    )]
    Connect(io::Error),
    #[error(
        "the TLS handshake failed ({0}): its certificate must be trusted by this system (or by the \
         file in SSL_CERT_FILE)"
    )]
    Handshake(io::Error),
    #[error("no answer within {TIMEOUT:?}")]
    Timeout,
    #[error("the connection broke ({0})")]
    Broken(hyper::Error),
    #[error("the answer is too long or broke off")]
    Body,
    #[error("{0}")]
    Refused(TokenRefusal),
    #[error("its answer is not usable: {0}")]
    Unusable(&'static str),
    #[error("cannot start a thread for it ({0})")]
    Thread(io::Error),
}

impl TokenSource {
    /// The source of tokens for `sasl`; `None` when `sasl` needs none.
    ///
    /// # Errors
    /// The token URL cannot be used or would send the secret in plain text, or the system has no
    /// certificates.
    pub fn new(sasl: Option<&Sasl>) -> Result<Option<Self>, ClientError> {
        let Some(Sasl::OAuthBearer { token_url, client_id, client_secret, scope }) = sasl else {
            return Ok(None);
        };
        let wrong = |why| ClientError::TokenUrl { why };
        if let Some(why) = token_url_error(token_url) {
            return Err(wrong(why));
        }
        let uri: Uri = token_url.parse().map_err(|_| wrong("is not a URL"))?;
        let host =
            uri.host().ok_or_else(|| wrong("names no host"))?.trim_matches(['[', ']']).to_owned();
        let tls = match uri.scheme_str() {
            Some("https") => Some(TlsClient::new(&Tls::default()).map_err(ClientError::TokenTls)?),
            // Plain HTTP to this machine: any other host is an error above.
            _ => None,
        };
        let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = scope {
            form += &format!("&scope={}", encoded(scope));
        }
        let authorization = basic(client_id, client_secret);
        Ok(Some(Self { host, port, uri, tls, client_id: client_id.clone(), authorization, form }))
    }

    /// Fetches a token. Blocks the calling thread for little more than ten seconds at most. Works
    /// inside and outside of a tokio runtime.
    ///
    /// # Errors
    /// One line for people, with the HTTP status where there is one.
    pub fn fetch(&self) -> Result<OAuthToken, String> {
        // A thread of its own: a runtime must not be started on a thread that already runs one.
        let fetched = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("kafka token".to_owned());
            let fetching =
                thread.spawn_scoped(scope, || self.fetch_here()).map_err(TokenError::Thread)?;
            fetching.join().expect("fetching does not panic")
        });
        fetched.map_err(|error| format!("no token from {}:{}: {error}", self.host, self.port))
    }

    fn fetch_here(&self) -> Result<OAuthToken, TokenError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(TokenError::Thread)?;
        let fetched =
            runtime.block_on(async { tokio::time::timeout(TIMEOUT, self.request()).await });
        // Does not wait for a look-up of the name that hangs.
        runtime.shutdown_background();
        let (status, body) = fetched.unwrap_or(Err(TokenError::Timeout))?;
        if status != StatusCode::OK {
            return Err(TokenError::Refused(TokenRefusal::new(status.as_u16(), &body)));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let reply = reply::read(&body, now).map_err(TokenError::Unusable)?;
        Ok(OAuthToken {
            principal_name: reply.subject.unwrap_or_else(|| self.client_id.clone()),
            lifetime_ms: i64::try_from(reply.expires.as_millis()).unwrap_or(i64::MAX),
            token: reply.token,
        })
    }

    async fn request(&self) -> Result<(StatusCode, Bytes), TokenError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(TokenError::Connect)?;
        match &self.tls {
            None => self.exchange(stream).await,
            Some(tls) => {
                let stream = tls
                    .connect(&self.host, stream)
                    .await
                    .map_err(|failed| TokenError::Handshake(failed.error))?;
                self.exchange(stream).await
            }
        }
    }

    async fn exchange<S>(&self, stream: S) -> Result<(StatusCode, Bytes), TokenError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(TokenError::Broken)?;
        let driver = tokio::spawn(connection);
        let authority =
            self.uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header(HOST, authority)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(Full::new(Bytes::from(self.form.clone())))
            .expect("parts of a URI that was parsed");
        let answer = sender.send_request(request).await.map_err(TokenError::Broken)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_REPLY)
            .collect()
            .await
            .map_err(|_| TokenError::Body)?
            .to_bytes();
        driver.abort();
        Ok((status, body))
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

/// The Authorization header of RFC 6749, section 2.3.1: both parts encoded as in a form, then as
/// HTTP Basic.
fn basic(client_id: &str, secret: &SecretString) -> HeaderValue {
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose_secret()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
        .expect("base64 is ASCII");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(url: &str) -> Result<TokenSource, String> {
        let sasl = Sasl::OAuthBearer {
            token_url: url.to_owned(),
            client_id: "id".to_owned(),
            client_secret: "s3cret".to_owned().into(),
            scope: Some("a b".to_owned()),
        };
        TokenSource::new(Some(&sasl))
            .map(|source| source.expect("OAUTHBEARER"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_url_must_keep_the_secret() {
        for (url, port) in [
            ("http://127.0.0.1/token", 80),
            ("http://localhost:8080/token?a=b", 8080),
            ("http://[::1]:1/", 1),
            ("http://127.9.9.9:2/", 2),
        ] {
            assert_eq!(source(url).expect(url).port, port);
        }
        for (url, words) in [
            ("http://10.0.0.1/token", "plain text"),
            ("http://localhost.evil.example/token", "plain text"),
            ("ftp://127.0.0.1/token", "https://"),
            ("/token", "must begin with https://"),
            ("https:///token", "not a URL"),
            ("not a url", "not a URL"),
            ("https://user:hidden@example.org/token", "credentials"),
        ] {
            let error = source(url).err().expect(url);
            assert!(error.contains(words) && !error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn the_form_and_the_credentials_are_encoded() {
        assert_eq!(
            source("http://[::1]:1/").unwrap().form,
            "grant_type=client_credentials&scope=a%20b"
        );
        let header = basic("my id", &"p:w+%ü".to_owned().into());
        let sent =
            STANDARD.decode(header.to_str().unwrap().strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(sent).unwrap(), "my%20id:p%3Aw%2B%25%C3%BC");
        assert!(header.is_sensitive());
    }
}
