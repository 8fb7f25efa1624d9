//! Collects the text of a body, decompressed, in memory that is reserved first.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use flate2::write::GzDecoder;

use crate::pipeline::Message;

use super::problem::Problem;
use super::room::BodyRoom;

/// Bytes that a decompressor holds, rounded up: its window, its tables and 32 KiB of output.
pub(super) const INFLATE: usize = 80 * 1024;
/// Gzip members of one body, at most. A usual body is one member; an empty member costs as much
/// time as a small request.
const MEMBERS: u32 = 64;
/// A body whose declared length is no more than this has one segment.
const WHOLE: usize = 128 * 1024;
/// Bytes of the first segment otherwise.
const FIRST_SEGMENT: usize = 16 * 1024;
/// Bytes of the largest segment. Each has twice the size of the one before.
const SEGMENT: usize = 128 * 1024;
/// Larger bodies are joined one at a time.
const JOINED_ALONE: usize = 256 * 1024;

/// The text of a body so far, by its encoding.
pub(super) enum Decoder {
    Identity(Buffer),
    Gzip(Gzip),
}

impl Decoder {
    pub(super) fn push(&mut self, chunk: Bytes) -> Result<(), Problem> {
        match self {
            Self::Identity(buffer) => buffer.push(chunk),
            Self::Gzip(gzip) => gzip.push(&chunk),
        }
    }

    /// Bytes of text so far.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Identity(buffer) => buffer.len(),
            Self::Gzip(gzip) => gzip.buffer().map_or(0, Buffer::len),
        }
    }

    /// Bytes of memory held so far.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Identity(buffer) => buffer.room.held(),
            Self::Gzip(gzip) => gzip.buffer().map_or(0, |buffer| buffer.room.held()),
        }
    }

    pub(super) fn room(&mut self) -> Result<&mut BodyRoom, Problem> {
        match self {
            Self::Identity(buffer) => Some(&mut buffer.room),
            Self::Gzip(gzip) => gzip.buffer_mut().map(|buffer| &mut buffer.room),
        }
        .ok_or(Problem::UnreadableBody)
    }

    pub(super) fn finish(self) -> Result<Arc<Message>, Problem> {
        match self {
            Self::Identity(buffer) => Ok(buffer.into_message()),
            Self::Gzip(gzip) => Ok(gzip.finish()?.into_message()),
        }
    }
}

/// Gzip members, one after another.
pub(super) struct Gzip {
    state: GzipState,
    members: u32,
    /// Compressed bytes so far.
    compressed: usize,
}

enum GzipState {
    /// No member is open, and no memory is held for a decompressor.
    Next(Buffer),
    /// A member is incomplete.
    Open(Box<GzDecoder<Buffer>>),
    /// The data is broken.
    Broken,
}

impl Gzip {
    pub(super) fn new(buffer: Buffer) -> Self {
        Self { state: GzipState::Next(buffer), members: 0, compressed: 0 }
    }

    fn buffer(&self) -> Option<&Buffer> {
        match &self.state {
            GzipState::Next(buffer) => Some(buffer),
            GzipState::Open(decoder) => Some(decoder.get_ref()),
            GzipState::Broken => None,
        }
    }

    fn buffer_mut(&mut self) -> Option<&mut Buffer> {
        match &mut self.state {
            GzipState::Next(buffer) => Some(buffer),
            GzipState::Open(decoder) => Some(decoder.get_mut()),
            GzipState::Broken => None,
        }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), Problem> {
        self.compressed += bytes.len();
        while !bytes.is_empty() {
            match std::mem::replace(&mut self.state, GzipState::Broken) {
                GzipState::Next(mut buffer) => {
                    self.members += 1;
                    if self.compressed > buffer.room.limit() {
                        return Err(Problem::BodyTooLarge);
                    }
                    if self.members > MEMBERS {
                        return Err(Problem::UnreadableBody);
                    }
                    buffer.hold_inflate()?;
                    self.state = GzipState::Open(Box::new(GzDecoder::new(buffer)));
                }
                GzipState::Open(mut decoder) => {
                    if self.compressed > decoder.get_ref().room.limit() {
                        return Err(Problem::BodyTooLarge);
                    }
                    let taken = decoder.write(bytes).map_err(|_| decoder.get_ref().problem())?;
                    bytes = &bytes[taken..];
                    // A decoder that takes nothing has reached the end of its member.
                    self.state = if taken == 0 {
                        GzipState::Next(end(*decoder)?)
                    } else {
                        GzipState::Open(decoder)
                    };
                }
                GzipState::Broken => return Err(Problem::UnreadableBody),
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Buffer, Problem> {
        match self.state {
            GzipState::Open(decoder) => end(*decoder),
            GzipState::Next(_) | GzipState::Broken => Err(Problem::UnreadableBody),
        }
    }
}

/// Ends a member: checks its checksum and length.
fn end(mut decoder: GzDecoder<Buffer>) -> Result<Buffer, Problem> {
    decoder.try_finish().map_err(|_| decoder.get_ref().problem())?;
    decoder.finish().map_err(|_| Problem::UnreadableBody)
}

/// The text of a body so far. A body of one chunk stays that chunk. More chunks are copied into
/// segments of a few sizes, which the allocator can use again for the next body; one buffer that
/// grows would leave freed memory of many sizes behind.
pub(super) struct Buffer {
    chunk: Bytes,
    segments: Vec<Vec<u8>>,
    /// Bytes of text in the segments.
    filled: usize,
    /// Bytes for which the segments have room.
    capacity: usize,
    /// Bytes of text that are expected, at most.
    expected: usize,
    /// Bytes held for a decompressor.
    inflate: usize,
    room: BodyRoom,
    /// Why the last write failed.
    write_problem: Option<Problem>,
}

impl Buffer {
    pub(super) fn new(room: BodyRoom, expected: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            segments: Vec::new(),
            filled: 0,
            capacity: 0,
            expected,
            inflate: 0,
            room,
            write_problem: None,
        }
    }

    fn len(&self) -> usize {
        self.chunk.len() + self.filled
    }

    /// Holds memory for a decompressor, too.
    fn hold_inflate(&mut self) -> Result<(), Problem> {
        let need = self.capacity + INFLATE;
        self.room.hold(need, need)?;
        self.inflate = INFLATE;
        Ok(())
    }

    fn push(&mut self, chunk: Bytes) -> Result<(), Problem> {
        if self.chunk.is_empty() && self.segments.is_empty() {
            self.hold(chunk.len(), chunk.len())?;
            self.chunk = chunk;
            return Ok(());
        }
        let first = std::mem::take(&mut self.chunk);
        self.extend(&first)?;
        self.extend(&chunk)
    }

    fn extend(&mut self, mut bytes: &[u8]) -> Result<(), Problem> {
        if self.filled + bytes.len() > self.room.limit() {
            return Err(Problem::BodyTooLarge);
        }
        while !bytes.is_empty() {
            if self.filled == self.capacity {
                self.add_segment(bytes.len())?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.capacity - self.filled));
            if let Some(last) = self.segments.last_mut() {
                last.extend_from_slice(now);
            }
            self.filled += now.len();
            bytes = later;
        }
        Ok(())
    }

    /// Adds a segment for more text, of which `waiting` bytes are here.
    fn add_segment(&mut self, waiting: usize) -> Result<(), Problem> {
        let size = match self.segments.last() {
            None if self.expected <= WHOLE => self.expected,
            None => FIRST_SEGMENT,
            Some(last) => (2 * last.capacity()).min(SEGMENT),
        };
        let wish = (self.capacity + size).min(self.expected);
        let capacity = self.hold(self.capacity + waiting.min(size), wish)?;
        self.segments.push(Vec::with_capacity(capacity - self.capacity));
        self.capacity = capacity;
        Ok(())
    }

    /// Holds memory for `need` bytes of text, or for `wish` if there is enough; returns for how
    /// many.
    fn hold(&mut self, need: usize, wish: usize) -> Result<usize, Problem> {
        if need > self.room.limit() {
            return Err(Problem::BodyTooLarge);
        }
        let held = self.room.hold(need + self.inflate, wish.max(need) + self.inflate)?;
        Ok((held - self.inflate).min(wish.max(need)))
    }

    /// Why decompressing failed: writing the text failed, or else the gzip is broken.
    fn problem(&self) -> Problem {
        self.write_problem.unwrap_or(Problem::UnreadableBody)
    }

    fn into_message(mut self) -> Arc<Message> {
        let unused = self.capacity - self.filled;
        let bytes = match self.segments.len() {
            0 => self.chunk,
            1 => self.segments.remove(0).into(),
            _ => {
                let segments = std::mem::take(&mut self.segments);
                self.room
                    .join_alone_if(self.filled > JOINED_ALONE, || join(segments, self.filled))
                    .into()
            }
        };
        Message::new(bytes, self.room.complete(self.inflate + unused))
    }
}

/// Joins the segments; each is freed as soon as it is copied.
fn join(segments: Vec<Vec<u8>>, length: usize) -> Vec<u8> {
    let mut whole = Vec::with_capacity(length);
    segments.into_iter().for_each(|segment| whole.extend_from_slice(&segment));
    whole
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.extend(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(problem) => {
                self.write_problem = Some(problem);
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
