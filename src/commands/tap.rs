//! `tap`: what becomes of a worker's events, while they happen.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;

use crate::app::StartError;
use crate::exit::Exit;
use crate::printable::escaped_json;
use crate::worker_client::{DEFAULT_URL, WorkerClient};

use super::exit;
use super::stop::asked_to_stop;

/// Longest silence of a worker: it says something each ten seconds.
const MAX_SILENCE: Duration = Duration::from_secs(30);
/// Bytes of a line, at most.
const MAX_LINE: usize = 1 << 20;

/// Prints what the worker at `url` decides on its events, `limit` of them or until it is ended.
pub(super) fn tap(url: Option<&str>, limit: Option<u64>, quiet: bool) -> ExitCode {
    let worker = match WorkerClient::at(url.unwrap_or(DEFAULT_URL)) {
        Ok(worker) => worker,
        Err(error) => {
            exit::complain(&format!("traitsink: {error}"));
            return Exit::USAGE.into();
        }
    };
    exit::in_runtime(async move {
        let stopped = asked_to_stop()?;
        let mut tapped = Tapped { left: limit.unwrap_or(u64::MAX), dropped: 0 };
        let ended = tokio::select! {
            ended = tapped.print_all(&worker) => ended,
            () = stopped => Ok(()),
        };
        if tapped.dropped > 0 && !quiet {
            exit::complain(&format!(
                "traitsink: {} more decisions are not shown: there were too many",
                tapped.dropped
            ));
        }
        ended.map(|()| ExitCode::SUCCESS)
    })
}

/// What was read so far.
struct Tapped {
    /// Decisions that are still wanted.
    left: u64,
    /// Decisions that the worker did not show.
    dropped: u64,
}

/// The line between decisions.
#[derive(Deserialize)]
struct DroppedLine {
    dropped: u64,
}

impl Tapped {
    /// Prints until enough is printed, the worker ends, or nobody reads.
    async fn print_all(&mut self, worker: &WorkerClient) -> Result<(), StartError> {
        let failed = |message: String, code| StartError {
            message: format!("{}: {message}", worker.name),
            code,
        };
        let unavailable = |message: &str| failed(message.to_owned(), Exit::UNAVAILABLE);
        let answer = worker
            .open("/api/tap")
            .await
            .map_err(|error| failed(error.to_string(), Exit::UNAVAILABLE))?;
        let (mut body, mut text): (Incoming, _) = (answer.into_body(), BytesMut::new());
        while self.left > 0 {
            let frame = tokio::time::timeout(MAX_SILENCE, body.frame())
                .await
                .map_err(|_| unavailable("it is silent; the connection may be broken"))?;
            let Some(frame) = frame else {
                exit::complain(&format!("traitsink: {}: the worker has stopped", worker.name));
                return Ok(());
            };
            let frame = frame
                .map_err(|_| unavailable("the connection broke; is the worker still there?"))?;
            text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            let shown = self.take_lines(&mut text);
            if text.len() > MAX_LINE {
                return Err(unavailable("it sends a line without an end; is it a worker?"));
            }
            match write(shown).await {
                // The reader has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written.map_err(|error| StartError {
                    message: format!("standard output: {error}"),
                    code: Exit::IO,
                })?,
            }
        }
        Ok(())
    }

    /// Takes all whole lines off `text`; returns those to print, safe for a terminal.
    fn take_lines(&mut self, text: &mut BytesMut) -> String {
        let mut shown = String::new();
        while let Some(end) = memchr::memchr(b'\n', text) {
            let line = text.split_to(end);
            text.advance(1);
            if let Ok(DroppedLine { dropped }) = serde_json::from_slice(&line) {
                self.dropped += dropped;
            } else if self.left > 0 && !line.is_empty() {
                self.left -= 1;
                shown.push_str(&escaped_json(&String::from_utf8_lossy(&line)));
                shown.push('\n');
            }
        }
        shown
    }
}

/// Prints on a thread where that may take long: a signal ends the command all the same.
async fn write(text: String) -> io::Result<()> {
    let writing = move || {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    };
    tokio::task::spawn_blocking(writing).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_shown_up_to_the_limit_and_dropped_ones_are_counted() {
        let mut tapped = Tapped { left: 2, dropped: 0 };
        let mut text = BytesMut::from("{\"a\":1}\n{\"dropped\":3}\n\n{\"b\":\"\u{9b}2J\"");
        assert_eq!(tapped.take_lines(&mut text), "{\"a\":1}\n");
        text.extend_from_slice(b"}\n{\"c\":1}\n{\"dropped\":4}\n");
        assert_eq!(tapped.take_lines(&mut text), "{\"b\":\"\\u009b2J\"}\n");
        assert_eq!((tapped.left, tapped.dropped, text.len()), (0, 7, 0));
    }
}
