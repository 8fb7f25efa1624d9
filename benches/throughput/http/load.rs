//! Sends requests on many connections from one thread, the next one on each as soon as the last one
//! is answered.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Time limit for one run.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) struct Load {
    pub(super) connections: usize,
    /// Requests that are sent in turn.
    pub(super) requests: Vec<Vec<u8>>,
    /// Number of requests in a run.
    pub(super) count: u64,
}

impl Load {
    /// Sends all requests; each must be answered 200. Connecting does not count.
    pub(super) fn run(&self, address: SocketAddr) -> Duration {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let work = async {
            let mut streams = Vec::new();
            for _ in 0..self.connections {
                let stream = TcpStream::connect(address).await.expect("the server accepts");
                stream.set_nodelay(true).expect("an open connection");
                streams.push(stream);
            }
            let (start, next) = (Instant::now(), Cell::new(0));
            let connections = streams.into_iter().map(|stream| self.send(stream, &next));
            futures_util::future::join_all(connections).await;
            start.elapsed()
        };
        let limited = async { tokio::time::timeout(PATIENCE, work).await };
        runtime.expect("a runtime").block_on(limited).expect("all requests are answered in time")
    }

    async fn send(&self, mut stream: TcpStream, next: &Cell<u64>) {
        let mut answer = Vec::with_capacity(4 << 10);
        while next.get() < self.count {
            let request = &self.requests[next.get() as usize % self.requests.len()];
            next.set(next.get() + 1);
            stream.write_all(request).await.expect("the server reads");
            answer.clear();
            while !is_complete(&answer) {
                let read = stream.read_buf(&mut answer).await.expect("the server answers");
                assert!(read > 0, "the server closed the connection");
            }
        }
    }
}

/// A POST of JSON.
pub(super) fn request(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Whether a whole answer is there; panics unless it is 200.
pub(super) fn is_complete(answer: &[u8]) -> bool {
    let Some(head) = memchr::memmem::find(answer, b"\r\n\r\n") else { return false };
    let (head, body) = (&answer[..head], &answer[head + 4..]);
    let text = || String::from_utf8_lossy(answer);
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", text());
    let length = head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked("content-length:".len())?;
        name.eq_ignore_ascii_case(b"content-length:").then(|| value.trim_ascii())
    });
    let length = length.and_then(|length| str::from_utf8(length).ok()?.parse().ok());
    body.len() >= length.unwrap_or_else(|| panic!("no length: {}", text()))
}
