//! Asks a running worker whether it makes progress: `GET /live` on its admin listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Time for the whole question, from the look-up of the name to the status of the answer.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// The admin listener of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminUrl {
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl AdminUrl {
    /// Reads `http://host:port`, the base of the admin listener.
    ///
    /// # Errors
    /// What is wrong with it, without quoting it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "is not a URL such as http://127.0.0.1:9464")?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err("is https, but the admin listener speaks plain http"),
            _ => return Err("does not begin with http://"),
        }
        let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else {
            return Err("has no host");
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err("is only http://host:port, without a login or a question mark");
        }
        if authority.port_u16().is_none() && !authority.as_str().ends_with(host) {
            return Err("has no port from 1 to 65535 behind the host's colon");
        }
        let path = format!("{}/live", uri.path().trim_end_matches('/'));
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self {
            host,
            port: uri.port_u16().unwrap_or(80),
            authority: authority.to_string(),
            path,
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
        Self { host: ip.to_string(), port: address.port(), authority, path: "/live".to_owned() }
    }

    /// Succeeds when the worker answers 200 within [`PATIENCE`].
    ///
    /// # Errors
    /// Why not, in plain words.
    pub async fn live(&self) -> Result<(), String> {
        match tokio::time::timeout(PATIENCE, self.status()).await {
            Ok(Ok(StatusCode::OK)) => Ok(()),
            Ok(Ok(status)) => Err(format!("{} is answered {status}", self.path)),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(format!("no answer to {} within {PATIENCE:?}", self.path)),
        }
    }

    async fn status(&self) -> Result<StatusCode, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| format!("cannot connect to {}: {error}", self.authority))?;
        let broken = |error| format!("the answer to {} broke off: {error}", self.path);
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let driver = tokio::spawn(connection);
        let request = Request::get(self.path.as_str())
            .header(HOST, &self.authority)
            .body(Empty::<Bytes>::new())
            .expect("parts of a URL that was parsed");
        let answer = sender.send_request(request).await;
        driver.abort();
        Ok(answer.map_err(broken)?.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_of_the_listener_is_enough() {
        for (text, host, port, path) in [
            ("http://127.0.0.1:9464", "127.0.0.1", 9464, "/live"),
            ("http://worker:9464/", "worker", 9464, "/live"),
            ("http://[::1]:1", "::1", 1, "/live"),
            ("http://proxy/traitsink/", "proxy", 80, "/traitsink/live"),
        ] {
            let url = AdminUrl::parse(text).expect(text);
            assert_eq!((url.host.as_str(), url.port, url.path.as_str()), (host, port, path));
        }
    }

    #[test]
    fn what_is_no_base_is_an_error() {
        for text in [
            "",
            "127.0.0.1:9464",
            "https://h:1",
            "ftp://h",
            "http://",
            "http:///live",
            "http://u:p@h",
            "http://h:x",
            "http://h?a=b",
        ] {
            assert!(AdminUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_this_machine() {
        for (address, authority) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:2", "[::1]:2"), ("10.0.0.1:3", "10.0.0.1:3")]
        {
            assert_eq!(AdminUrl::of(address.parse().unwrap()).authority, authority);
        }
    }
}
