//! Reads inputs line by line and offers their events to the lanes, in order.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::dead_letter::{DeadLetters, KafkaRecord, Letter};
use crate::event::{
    Arrival, Decision, Elements, Origin, RejectReason, SkipReason, events_of, is_blank, prefix_of,
};
use crate::metrics::Metrics;
use crate::pipeline::{
    Ack, DeadReason, Intake, Message, NotAccepted, Outcome, Receipts as _, Source, admit, reserve,
};
use crate::profile::Prefix;

use super::counts::ReplayCounts;
use super::format::{LineContent, LineFormat};
use super::letter_line::KeptEvent;
use super::lines::{Chunk, LineReader, next_line};
use super::rate::RateLimit;
use super::watermark::{LineBlock, Watermark};

/// Events of a block, at most. What is in a block that was not settled is written again after a
/// kill.
const BLOCK: u64 = 128;

/// The parts of the program that a replay uses, and its settings.
pub struct ReplayParts {
    /// Where events are offered.
    pub intake: Arc<Intake>,
    /// Where rejected events go.
    pub letters: DeadLetters,
    /// Where events are counted.
    pub metrics: Arc<Metrics>,
    /// The prefix of Redis keys.
    pub prefix: Prefix,
    /// How lines are read.
    pub format: LineFormat,
    /// The most events a second.
    pub rate: Option<u64>,
    /// Ends the replay after the current event.
    pub stop: CancellationToken,
    /// How many events ended how.
    pub counts: Arc<ReplayCounts>,
    /// How far the replay has come.
    pub watermark: Arc<Watermark>,
}

/// Replays inputs, one after the other.
pub struct Replay {
    parts: ReplayParts,
    rate: Option<RateLimit>,
    /// Events of a block.
    block: u64,
}

/// Reading an input failed, and where.
#[derive(Debug)]
pub struct ReadFailure {
    /// Bytes of the input's text that were read and taken, in whole lines.
    offset: u64,
    /// Lines in them, where the input was read from its beginning.
    lines: Option<u64>,
    error: io::Error,
}

impl fmt::Display for ReadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(lines) = self.lines {
            write!(f, "line {}, ", lines + 1)?;
        }
        write!(f, "after {} bytes of text: {}", self.offset, self.error)
    }
}

/// The block that takes events now.
struct OpenBlock {
    block: Arc<LineBlock>,
    events: u64,
    /// When its events count as received: reading the clock for each of them is not free.
    received: Instant,
}

impl Replay {
    /// A replay that has read nothing yet.
    pub fn new(parts: ReplayParts) -> Self {
        // A slow replay should not have to write minutes again.
        let block = parts.rate.map_or(BLOCK, |rate| (rate / 10).clamp(1, BLOCK));
        Self { rate: parts.rate.map(RateLimit::new), block, parts }
    }

    /// Reads `input`, which begins `offset` bytes after the beginning of its text, to its end, or
    /// to the stop. Blocks on reading: run it where that is allowed, with `runtime` to wait on.
    /// Events may still be in flight when this returns: [`Watermark::wait_until_idle`].
    ///
    /// # Errors
    /// Reading failed. All whole lines before that were taken.
    pub fn run(
        &mut self,
        input: impl Read,
        offset: u64,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(), ReadFailure> {
        let intake = &self.parts.intake;
        // A list or a wrapper may be larger than any event in it.
        let max_line = intake.rules().limits.max_event.max(intake.budget().limit() / 4);
        let mut reader = LineReader::new(input, max_line);
        let (mut read, mut lines) = (offset, 0);
        while !self.parts.stop.is_cancelled() {
            let next = reader.next().map_err(|error| ReadFailure {
                offset: read,
                lines: (offset == 0).then_some(lines),
                error,
            })?;
            let Some(chunk) = next else { break };
            read += chunk.read;
            lines += runtime.block_on(self.take(chunk));
        }
        Ok(())
    }

    /// Returns the number of lines.
    async fn take(&mut self, chunk: Chunk) -> u64 {
        let held = reserve(&self.parts.intake, chunk.bytes.len(), || true).await;
        let held = held.expect("it is waited for without end");
        let message = Message::new(chunk.bytes, held);
        let mut rest = 0..message.bytes().len();
        let (mut open, mut begin, mut lines) = (self.open(), 0, 0);
        while !rest.is_empty() && !self.parts.stop.is_cancelled() {
            let line = next_line(message.bytes(), &mut rest);
            let complete = self.take_line(&message, line, chunk.cut, &mut open).await;
            lines += 1;
            if !complete || open.events >= self.block {
                let bytes = rest.start - begin;
                begin = rest.start;
                std::mem::replace(&mut open, self.open()).close(bytes as u64, complete);
            }
        }
        // Of a line that was cut, more was read than is here.
        let end = if chunk.cut && rest.is_empty() { chunk.read } else { rest.start as u64 };
        open.close(end - begin as u64, true);
        lines
    }

    fn open(&self) -> OpenBlock {
        let ReplayParts { watermark, counts, metrics, .. } = &self.parts;
        let block = LineBlock::open(watermark, counts, metrics);
        OpenBlock { block, events: 0, received: Instant::now() }
    }

    /// Pushes the events of one line; false when the stop came before the last.
    async fn take_line(
        &mut self,
        message: &Arc<Message>,
        line: Range<usize>,
        cut: bool,
        open: &mut OpenBlock,
    ) -> bool {
        let text = &message.bytes()[line.clone()];
        let origin = Origin {
            wrapped: true,
            may_delete: true,
            arrival: Arrival::Unknown,
            gateway: true,
            ..Origin::default()
        };
        if cut {
            let ack = self.ack(open);
            self.dead_letter(RejectReason::TooLarge, ack, text, None, origin, None).await;
            return true;
        }
        if is_blank(text) {
            open.skip(SkipReason::Empty, &self.parts.metrics);
            return true;
        }
        match self.parts.format.read(text) {
            LineContent::Events => {
                self.take_events(message, line, events_of(text), None, origin, open).await
            }
            LineContent::Payload(payload) => {
                let message = self.message(payload.into_owned()).await;
                let events = events_of(message.bytes());
                let all = 0..message.bytes().len();
                self.take_events(&message, all, events, None, origin, open).await
            }
            LineContent::Letter(kept) => self.take_letter(kept, None, open).await,
            LineContent::Unreadable => {
                let ack = self.ack(open);
                self.dead_letter(RejectReason::InvalidJson, ack, text, None, origin, None).await;
                true
            }
        }
    }

    /// Takes a dead letter of a partition whose position is `watermark`; `passed`: how far it moves
    /// once the letter is settled.
    #[cfg(feature = "kafka")]
    pub(crate) async fn take_letter_of(
        &mut self,
        kept: KeptEvent<'_>,
        record: KafkaRecord,
        watermark: &Arc<Watermark>,
        passed: u64,
    ) {
        let block = LineBlock::open(watermark, &self.parts.counts, &self.parts.metrics);
        let mut open = OpenBlock { block, events: 0, received: Instant::now() };
        let complete = self.take_letter(kept, Some(record), &mut open).await;
        open.close(passed, complete);
    }

    /// Pushes the event of a dead letter, under the letter's own prefix.
    async fn take_letter(
        &mut self,
        kept: KeptEvent<'_>,
        record: Option<KafkaRecord>,
        open: &mut OpenBlock,
    ) -> bool {
        let origin = Origin {
            path_type: kept.path_type,
            wrapped: !kept.bare,
            may_delete: true,
            is_tombstone: kept.is_tombstone,
            arrival: kept.arrival,
            gateway: !kept.bare,
            ..Origin::default()
        };
        let message = self.letter_message(kept.text.into_owned(), kept.is_tombstone, record).await;
        let text = message.bytes();
        let events = if is_blank(text) && !kept.is_tombstone {
            Elements::default()
        } else if kept.bare || kept.is_tombstone {
            Elements::one(0..text.len())
        } else {
            events_of(text)
        };
        let all = 0..text.len();
        self.take_events(&message, all, events, kept.prefix.as_ref(), origin, open).await
    }

    /// A message of its own for text that does not stand in the file like this.
    async fn message(&self, text: Vec<u8>) -> Arc<Message> {
        self.letter_message(text, false, None).await
    }

    /// The same for the text of a dead letter, which may be the id of a user to be deleted.
    async fn letter_message(
        &self,
        text: Vec<u8>,
        is_tombstone: bool,
        record: Option<KafkaRecord>,
    ) -> Arc<Message> {
        let held = reserve(&self.parts.intake, text.len(), || true).await;
        let held = held.expect("it is waited for without end");
        match record {
            record if is_tombstone => Message::tombstone(Bytes::from(text), record, held),
            Some(record) => Message::of_record(Bytes::from(text), record, held),
            None => Message::new(Bytes::from(text), held),
        }
    }

    /// Pushes `events`, which stand at `place` in `message`: a list or a batch holds several.
    /// `prefix` is instead of that of the replay. False when the stop came before the last.
    async fn take_events(
        &mut self,
        message: &Arc<Message>,
        place: Range<usize>,
        mut events: Elements,
        prefix: Option<&Prefix>,
        origin: Origin<'_>,
        open: &mut OpenBlock,
    ) -> bool {
        if events.is_empty() {
            open.skip(SkipReason::Empty, &self.parts.metrics);
        }
        let text = &message.bytes()[place.clone()];
        let origin = Origin { sent_at: events.sent_at(text), ..origin };
        while let Some(event) = events.next(text) {
            if let Some(rate) = &mut self.rate {
                if self.parts.stop.run_until_cancelled(rate.wait()).await.is_none() {
                    return false;
                }
                open.received = Instant::now();
            }
            let event = place.start + event.start..place.start + event.end;
            self.push(message, event, prefix, origin, open).await;
            if self.parts.stop.is_cancelled() {
                return events.is_empty();
            }
        }
        true
    }

    /// The ack of one more event.
    fn ack(&self, open: &mut OpenBlock) -> Ack {
        open.events += 1;
        self.parts.metrics.source(Source::File).received.inc();
        let receipts = Arc::clone(&open.block) as _;
        Ack::of_counted(Source::File, receipts, open.events, open.received)
    }

    /// Sees one event into its lane, and waits for that: the next one must not overtake it. At the
    /// stop the event fails.
    async fn push(
        &self,
        message: &Arc<Message>,
        event: Range<usize>,
        prefix: Option<&Prefix>,
        origin: Origin<'_>,
        open: &mut OpenBlock,
    ) {
        let ReplayParts { intake, stop, metrics, .. } = &self.parts;
        let (prefix_of_all, is_tombstone) = (&self.parts.prefix, message.is_tombstone());
        let full = Origin { prefix: prefix.unwrap_or(prefix_of_all), is_tombstone, ..origin };
        let text = &message.bytes()[event.clone()];
        let offered = match intake.decide(text, full, Some(Source::File)) {
            Decision::Skipped(reason) => return open.skip(reason, metrics),
            Decision::Rejected(reason) => Err(NotAccepted::Rejected(reason, self.ack(open))),
            Decision::Update(update) => {
                let ack = self.ack(open);
                intake.offer(intake.job(update, ack, message, event.clone(), full))
            }
        };
        let is_busy = matches!(offered, Err(NotAccepted::Busy(..)));
        let ended = admit(intake, offered, |_| !stop.is_cancelled()).await;
        if is_busy {
            // The next events are received only now.
            open.received = Instant::now();
        }
        match ended {
            Ok(()) | Err(NotAccepted::Busy(..)) => {}
            Err(NotAccepted::Rejected(reason, ack)) => {
                let text = &message.bytes()[event];
                self.dead_letter(reason, ack, text, prefix, origin, message.record()).await;
            }
        }
    }

    /// Puts an event that can never be written into the dead letters.
    async fn dead_letter(
        &self,
        reason: RejectReason,
        ack: Ack,
        text: &[u8],
        prefix: Option<&Prefix>,
        origin: Origin<'_>,
        record: Option<&KafkaRecord>,
    ) {
        let origin = Origin { prefix: prefix.unwrap_or(&self.parts.prefix), ..origin };
        let said = prefix_of(origin, text, self.parts.intake.rules().limits.max_event);
        let letter = Letter::new(DeadReason::Rejected(reason), Source::File, None, text, record)
            .with_origin(&said, origin.path_type)
            .with_prefix_path(origin.prefix.path())
            .of_tombstone(origin.is_tombstone);
        let outcomes = self.parts.letters.keep(vec![letter]).await;
        ack.settle(outcomes[0]);
    }
}

impl OpenBlock {
    /// One more event, which is skipped.
    fn skip(&mut self, reason: SkipReason, metrics: &Metrics) {
        self.events += 1;
        let counts = metrics.source(Source::File);
        counts.received.inc();
        counts.skipped(reason).inc();
        self.block.settle(self.events, Outcome::Skipped(reason));
    }

    fn close(self, bytes: u64, complete: bool) {
        self.block.close(self.events, bytes, complete);
    }
}
