//! Files of one event a line, or one list or batch of events, through the real pipeline.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::dead_letter::{DeadLetters, Letter};
use crate::event::{Origin, RejectReason, SkipReason, events_of, is_blank};
use crate::metrics::Metrics;
use crate::pipeline::{Ack, DeadReason, Intake, Message, Outcome, Receipts, Refusal, Source};

/// Bytes read at once; the lines in it are one message.
const CHUNK: usize = 256 << 10;

/// How many events of a replay ended how.
#[derive(Default)]
pub struct Tally {
    pub written: AtomicU64,
    pub skipped: AtomicU64,
    pub dead_lettered: AtomicU64,
    pub failed: AtomicU64,
    taken: AtomicU64,
    settled: AtomicU64,
    idle: Notify,
}

impl Tally {
    /// Events that have their outcome.
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::Acquire)
    }

    /// Waits until every event taken so far is settled.
    async fn wait(&self) {
        loop {
            let idle = self.idle.notified();
            if self.settled() == self.taken.load(Ordering::Acquire) {
                return;
            }
            idle.await;
        }
    }
}

impl Receipts for Tally {
    fn settle(&self, _position: u64, outcome: Outcome) {
        let count = match outcome {
            Outcome::Written => &self.written,
            Outcome::Skipped(_) => &self.skipped,
            Outcome::Rejected(_) | Outcome::DeadLettered(_) => &self.dead_lettered,
            Outcome::Failed => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if self.settled.fetch_add(1, Ordering::AcqRel) + 1 == self.taken.load(Ordering::Acquire) {
            self.idle.notify_waiters();
        }
    }
}

/// Replays files, one after the other.
pub struct Replay {
    pub intake: Arc<Intake>,
    pub letters: DeadLetters,
    pub metrics: Arc<Metrics>,
    pub prefix: String,
    pub stop: CancellationToken,
    pub tally: Arc<Tally>,
}

impl Replay {
    /// Reads `input` to its end, or to the stop, and returns when every event taken is settled.
    /// `progress` is given the bytes read. Blocks on reading: run it where that is allowed, with
    /// `runtime` to wait on.
    ///
    /// # Errors
    /// Reading failed.
    pub fn run(
        &self,
        input: impl Read,
        runtime: &tokio::runtime::Handle,
        progress: impl Fn(u64),
    ) -> io::Result<()> {
        // A list or a wrapper may be larger than any event in it.
        let max_line = self.intake.rules().limits.max_event.max(self.intake.budget().limit() / 4);
        let mut lines = Lines::new(input, max_line);
        while !self.stop.is_cancelled() {
            let Some(chunk) = lines.next()? else { break };
            progress(chunk.read);
            runtime.block_on(self.take(chunk));
        }
        runtime.block_on(self.tally.wait());
        Ok(())
    }

    async fn take(&self, chunk: Chunk) {
        let held = loop {
            match self.intake.budget().try_reserve(chunk.bytes.len()) {
                Some(held) => break held,
                None => self.intake.room().await,
            }
        };
        let message = Message::new(chunk.bytes, held);
        let mut rest = 0..message.bytes().len();
        while !rest.is_empty() && !self.stop.is_cancelled() {
            let line = next_line(message.bytes(), &mut rest);
            let text = &message.bytes()[line.clone()];
            if chunk.cut {
                self.bury(RejectReason::TooLarge, self.ack(), text).await;
            } else if is_blank(text) {
                self.ack().settle(Outcome::Skipped(SkipReason::Empty));
            } else {
                self.take_line(&message, line).await;
            }
        }
    }

    /// Pushes the events of one line: a list or a batch holds several.
    async fn take_line(&self, message: &Arc<Message>, line: Range<usize>) {
        let text = &message.bytes()[line.clone()];
        let mut events = events_of(text);
        if events.is_empty() {
            self.ack().settle(Outcome::Skipped(SkipReason::Empty));
        }
        while let Some(event) = events.next(text) {
            let event = line.start + event.start..line.start + event.end;
            self.push(message, event, self.ack()).await;
            if self.stop.is_cancelled() {
                return;
            }
        }
    }

    /// The ack of one more event.
    fn ack(&self) -> Ack {
        let position = self.tally.taken.fetch_add(1, Ordering::AcqRel);
        Ack::new(
            Source::File,
            Arc::clone(&self.tally) as _,
            position,
            Arc::clone(&self.metrics),
            Instant::now(),
        )
    }

    /// Pushes one event, waiting for room: the next one must not overtake it.
    async fn push(&self, message: &Arc<Message>, line: Range<usize>, ack: Ack) {
        let origin = Origin { prefix: &self.prefix, path_type: None, wrapped: true };
        let mut refusal = self.intake.accept(message, line.clone(), origin, ack);
        loop {
            match refusal {
                Ok(()) => return,
                Err(Refusal::Rejected(reason, ack)) => {
                    return self.bury(reason, ack, &message.bytes()[line]).await;
                }
                // Dropping the job fails its ack.
                Err(Refusal::Busy(..)) if self.stop.is_cancelled() => return,
                Err(Refusal::Busy(_, job)) => {
                    self.intake.room().await;
                    refusal = self.intake.offer(*job);
                }
            }
        }
    }

    async fn bury(&self, reason: RejectReason, ack: Ack, text: &[u8]) {
        let reason = DeadReason::Rejected(reason);
        let letter = Letter::new(reason.as_str(), Source::File.as_str(), None, text, None);
        match self.letters.write(vec![letter]).await {
            Ok(()) => ack.settle(Outcome::DeadLettered(reason)),
            Err(_) => ack.settle(Outcome::Failed),
        }
    }
}

/// Opens a file, or standard input for `-`; with its size where that is known.
///
/// # Errors
/// It cannot be opened.
pub fn open(path: &Path) -> io::Result<(Box<dyn Read>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let size = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(file), size))
}

/// Whole lines of a file.
struct Chunk {
    bytes: Bytes,
    /// Bytes taken from the file for it.
    read: u64,
    /// The one line of this chunk is longer than an event may be, and only its beginning.
    cut: bool,
}

/// Takes the next line out of `rest`, without its line end.
fn next_line(bytes: &[u8], rest: &mut Range<usize>) -> Range<usize> {
    let end = memchr::memchr(b'\n', &bytes[rest.clone()]).map_or(rest.end, |len| rest.start + len);
    let line = rest.start..end;
    rest.start = (end + 1).min(rest.end);
    if bytes[line.clone()].ends_with(b"\r") { line.start..line.end - 1 } else { line }
}

/// Cuts an input into chunks that end at line ends.
struct Lines<R> {
    input: R,
    buffer: BytesMut,
    max_line: usize,
    ended: bool,
}

impl<R: Read> Lines<R> {
    fn new(input: R, max_line: usize) -> Self {
        Self { input, buffer: BytesMut::new(), max_line, ended: false }
    }

    fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            if let Some(last) = memchr::memrchr(b'\n', &self.buffer) {
                let bytes = self.buffer.split_to(last + 1).freeze();
                return Ok(Some(Chunk { read: bytes.len() as u64, bytes, cut: false }));
            }
            if self.buffer.len() > self.max_line + 1 {
                return self.skip_line().map(Some);
            }
            if self.ended {
                let bytes = self.buffer.split().freeze();
                return Ok((!bytes.is_empty()).then_some(Chunk {
                    read: bytes.len() as u64,
                    bytes,
                    cut: false,
                }));
            }
            self.fill()?;
        }
    }

    /// Keeps the first `max_line` bytes of a line that is too long and reads past its end.
    fn skip_line(&mut self) -> io::Result<Chunk> {
        let mut read = self.buffer.len() as u64;
        let kept = self.buffer.split_to(self.max_line).freeze();
        loop {
            self.buffer.clear();
            if self.ended {
                break;
            }
            self.fill()?;
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                read += end as u64 + 1;
                let _line_end = self.buffer.split_to(end + 1);
                break;
            }
            read += self.buffer.len() as u64;
        }
        Ok(Chunk { bytes: kept, read, cut: true })
    }

    fn fill(&mut self) -> io::Result<()> {
        let start = self.buffer.len();
        self.buffer.resize(start + CHUNK, 0);
        let read = loop {
            match self.input.read(&mut self.buffer[start..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.buffer.truncate(start + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(input: &[u8], max_line: usize) -> Vec<(String, bool)> {
        let mut lines = Lines::new(input, max_line);
        let mut found = Vec::new();
        while let Some(chunk) = lines.next().unwrap() {
            let mut rest = 0..chunk.bytes.len();
            while !rest.is_empty() {
                let line = next_line(&chunk.bytes, &mut rest);
                found.push((String::from_utf8(chunk.bytes[line].to_vec()).unwrap(), chunk.cut));
            }
        }
        found
    }

    #[test]
    fn lines_end_at_line_feeds_and_at_the_end() {
        let found = lines_of(b"a\r\n\nbc", 100);
        assert_eq!(found, [("a".into(), false), (String::new(), false), ("bc".into(), false)]);
        assert!(lines_of(b"", 100).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let long = "x".repeat(3 * CHUNK);
        let input = format!("a\n{long}\nb\n{long}");
        let found = lines_of(input.as_bytes(), 10);
        let cut = ("x".repeat(10), true);
        assert_eq!(found, [("a".into(), false), cut.clone(), ("b".into(), false), cut]);
    }
}
