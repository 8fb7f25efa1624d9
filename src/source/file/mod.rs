//! The file source, for `replay`: each line is an event, or a list or batch of events.

mod counts;
mod lines;

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::dead_letter::{DeadLetters, Letter};
use crate::event::{Origin, RejectReason, SkipReason, events_of, is_blank};
use crate::metrics::Metrics;
use crate::pipeline::{
    Ack, DeadReason, Intake, Message, NotAccepted, Outcome, Source, admit, reserve,
};

pub use counts::ReplayCounts;
use lines::{Chunk, LineReader, next_line};

/// Replays files, one after the other.
pub struct Replay {
    /// Where events are offered.
    pub intake: Arc<Intake>,
    /// Where rejected events go.
    pub letters: DeadLetters,
    /// Where events are counted.
    pub metrics: Arc<Metrics>,
    /// The prefix of Redis keys.
    pub prefix: String,
    /// Ends the replay after the current event.
    pub stop: CancellationToken,
    /// How many events ended how.
    pub counts: Arc<ReplayCounts>,
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
        let mut lines = LineReader::new(input, max_line);
        while !self.stop.is_cancelled() {
            let Some(chunk) = lines.next()? else { break };
            progress(chunk.read);
            runtime.block_on(self.take(chunk));
        }
        runtime.block_on(self.counts.wait_until_settled());
        Ok(())
    }

    async fn take(&self, chunk: Chunk) {
        let held = reserve(&self.intake, chunk.bytes.len(), || true).await;
        let held = held.expect("it is waited for without end");
        let message = Message::new(chunk.bytes, held);
        let mut rest = 0..message.bytes().len();
        while !rest.is_empty() && !self.stop.is_cancelled() {
            let line = next_line(message.bytes(), &mut rest);
            let text = &message.bytes()[line.clone()];
            if chunk.cut {
                self.dead_letter(RejectReason::TooLarge, self.ack(), text).await;
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
        let receipts = Arc::clone(&self.counts) as _;
        let metrics = Arc::clone(&self.metrics);
        Ack::new(Source::File, receipts, self.counts.take(), metrics, Instant::now())
    }

    /// Sees one event into its lane, and waits for that: the next one must not overtake it. At the
    /// stop the event fails.
    async fn push(&self, message: &Arc<Message>, line: Range<usize>, ack: Ack) {
        let origin = Origin { prefix: &self.prefix, path_type: None, wrapped: true };
        let offered = self.intake.accept(message, line.clone(), origin, ack);
        match admit(&self.intake, offered, |_| !self.stop.is_cancelled()).await {
            Ok(()) | Err(NotAccepted::Busy(..)) => {}
            Err(NotAccepted::Rejected(reason, ack)) => {
                self.dead_letter(reason, ack, &message.bytes()[line]).await;
            }
        }
    }

    /// Puts an event that can never be written into the dead letters.
    async fn dead_letter(&self, reason: RejectReason, ack: Ack, text: &[u8]) {
        let letter = Letter::new(DeadReason::Rejected(reason), Source::File, None, text, None)
            .with_origin(&self.prefix, None);
        let outcomes = self.letters.keep(vec![letter]).await;
        ack.settle(outcomes[0]);
    }
}

/// Opens a file, or standard input for `-`; with its size where that is known.
///
/// # Errors
/// The file cannot be opened.
pub fn open(path: &Path) -> io::Result<(Box<dyn Read>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let size = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(file), size))
}
