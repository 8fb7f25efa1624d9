//! A plain HTTP/1.1 client with one kept-alive connection; it never retries.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One HTTP answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Header names are in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) struct Client {
    address: SocketAddr,
    /// Time limit for connecting, and for each read of an answer.
    patience: Duration,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::with_patience(address, Duration::from_secs(20))
    }

    pub(crate) fn with_patience(address: SocketAddr, patience: Duration) -> Self {
        Self { address, patience, connection: None }
    }

    pub(crate) fn get(&mut self, path: &str) -> Option<Response> {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn post(&mut self, path: &str, body: impl AsRef<[u8]>) -> Option<Response> {
        self.send("POST", path, &[], body.as_ref())
    }

    /// Sends one request and reads its answer; `None` if the connection broke or the time limit
    /// passed.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Response> {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let bytes = [head.as_bytes(), body].concat();
        let answer = self.exchange(&bytes);
        if answer.as_ref().is_none_or(|answer| answer.header("connection") == Some("close")) {
            self.connection = None;
        }
        answer
    }

    fn exchange(&mut self, bytes: &[u8]) -> Option<Response> {
        if self.connection.is_none() {
            let stream = TcpStream::connect_timeout(&self.address, self.patience).ok()?;
            stream.set_read_timeout(Some(self.patience)).ok()?;
            stream.set_nodelay(true).ok()?;
            self.connection = Some(BufReader::new(stream));
        }
        let connection = self.connection.as_mut()?;
        connection.get_mut().write_all(bytes).ok()?;
        read_response(connection).ok()
    }
}

/// Reads one answer with a Content-Length.
pub(crate) fn read_response(stream: &mut impl BufRead) -> io::Result<Response> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(Response { status, headers, body })
}
