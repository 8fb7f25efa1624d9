//! An HTTP client that sends exactly the given bytes, and reads no more of the answer than needed.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Time limit for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct RawClient {
    stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl RawResponse {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("answers are UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl RawClient {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// Sends all of `bytes`; false if the server has closed the connection.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        match self.stream.write_all(bytes.as_ref()) {
            Ok(()) => true,
            // A child process of the tests ended. With a timeout set, the system does not resume
            // the call.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(error) if gone(&error) => false,
            Err(error) => panic!("cannot send: {error}"),
        }
    }

    /// Closes the sending side.
    pub(crate) fn finish(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// The next response; `None` if the server closed the connection first.
    pub(crate) fn response(&mut self) -> Option<RawResponse> {
        self.read(true)
    }

    /// The next response to a `HEAD` request, which has no body.
    pub(crate) fn response_to_head(&mut self) -> Option<RawResponse> {
        self.read(false)
    }

    /// Waits until the server closes the connection; drops all bytes that still come.
    pub(crate) fn wait_closed(&mut self) {
        while self.fill() {}
    }

    /// True if nothing comes and the connection stays open for `pause`.
    pub(crate) fn is_silent_for(&mut self, pause: Duration) -> bool {
        self.stream.set_read_timeout(Some(pause)).unwrap();
        let mut seen = self.stream.peek(&mut [0]);
        while matches!(&seen, Err(error) if error.kind() == io::ErrorKind::Interrupted) {
            seen = self.stream.peek(&mut [0]);
        }
        let silent = matches!(seen, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }

    fn read(&mut self, with_body: bool) -> Option<RawResponse> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if !self.fill() {
                return None;
            }
        };
        let head: Vec<u8> = self.unread.drain(..end + 4).collect();
        let head = String::from_utf8(head).expect("a head is text");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("{head:?}"));
        let mut response = RawResponse { status, head, body: Vec::new() };
        let length =
            response.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        assert!(response.header("transfer-encoding").is_none(), "answers are whole: {response:?}");
        if with_body {
            while self.unread.len() < length {
                assert!(
                    self.fill(),
                    "a body cut short after {} of {length} bytes: {response:?}",
                    self.unread.len()
                );
            }
            response.body = self.unread.drain(..length).collect();
        }
        Some(response)
    }

    fn fill(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(n) => {
                self.unread.extend_from_slice(&chunk[..n]);
                true
            }
            Err(error) if gone(&error) => false,
            Err(error) => panic!("no answer: {error}"),
        }
    }
}

fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}
