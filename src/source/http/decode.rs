//! From the bytes of a body as they come to its text: limited, and paid for before they are kept.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use flate2::write::GzDecoder;

use crate::pipeline::Message;

use super::bodies::Room;
use super::problem::Problem;

/// Bytes that a decompressor holds, and a little more: its window, its tables and 32 KiB of output.
pub(super) const INFLATE: usize = 80 * 1024;
/// Gzip members of one body. A usual body is one; every empty one costs as much as a small request.
const MEMBERS: u32 = 64;
/// Bodies that are declared to be no longer have one segment.
const WHOLE: usize = 128 * 1024;
const FIRST_SEGMENT: usize = 16 * 1024;
/// The largest segment: each has twice the size of the one before it.
const SEGMENT: usize = 128 * 1024;
/// Larger bodies are joined one at a time.
const JOINED_ALONE: usize = 256 * 1024;

/// A body as far as it has come.
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

    /// Bytes held so far.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Identity(buffer) => buffer.room.held(),
            Self::Gzip(gzip) => gzip.buffer().map_or(0, |buffer| buffer.room.held()),
        }
    }

    pub(super) fn room(&mut self) -> Result<&mut Room, Problem> {
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
    state: Member,
    members: u32,
    /// Compressed bytes so far.
    compressed: usize,
}

enum Member {
    /// None is begun: nothing is held for a decompressor.
    Next(Buffer),
    Open(Box<GzDecoder<Buffer>>),
    /// It is broken.
    Broken,
}

impl Gzip {
    pub(super) fn new(buffer: Buffer) -> Self {
        Self { state: Member::Next(buffer), members: 0, compressed: 0 }
    }

    fn buffer(&self) -> Option<&Buffer> {
        match &self.state {
            Member::Next(buffer) => Some(buffer),
            Member::Open(decoder) => Some(decoder.get_ref()),
            Member::Broken => None,
        }
    }

    fn buffer_mut(&mut self) -> Option<&mut Buffer> {
        match &mut self.state {
            Member::Next(buffer) => Some(buffer),
            Member::Open(decoder) => Some(decoder.get_mut()),
            Member::Broken => None,
        }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), Problem> {
        self.compressed += bytes.len();
        while !bytes.is_empty() {
            match std::mem::replace(&mut self.state, Member::Broken) {
                Member::Next(mut buffer) => {
                    self.members += 1;
                    if self.compressed > buffer.room.limit() {
                        return Err(Problem::BodyTooLarge);
                    }
                    if self.members > MEMBERS {
                        return Err(Problem::UnreadableBody);
                    }
                    buffer.with_inflate()?;
                    self.state = Member::Open(Box::new(GzDecoder::new(buffer)));
                }
                Member::Open(mut decoder) => {
                    if self.compressed > decoder.get_ref().room.limit() {
                        return Err(Problem::BodyTooLarge);
                    }
                    let taken = decoder.write(bytes).map_err(|_| decoder.get_ref().problem())?;
                    bytes = &bytes[taken..];
                    // The member is complete, and what follows is another one.
                    self.state = if taken == 0 {
                        Member::Next(end(*decoder)?)
                    } else {
                        Member::Open(decoder)
                    };
                }
                Member::Broken => return Err(Problem::UnreadableBody),
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Buffer, Problem> {
        match self.state {
            Member::Open(decoder) => end(*decoder),
            Member::Next(_) | Member::Broken => Err(Problem::UnreadableBody),
        }
    }
}

/// Checks the sum and the length of a member.
fn end(mut decoder: GzDecoder<Buffer>) -> Result<Buffer, Problem> {
    decoder.try_finish().map_err(|_| decoder.get_ref().problem())?;
    decoder.finish().map_err(|_| Problem::UnreadableBody)
}

/// The text of a body so far. A body of one chunk stays that chunk; more of them are copied into
/// segments of a few sizes, which the allocator uses again for the next body: buffers that are made
/// larger and larger would leave their former selves behind.
pub(super) struct Buffer {
    chunk: Bytes,
    segments: Vec<Vec<u8>>,
    /// Bytes of text in the segments, and for how many there is room in them.
    filled: usize,
    capacity: usize,
    /// More than this will not come.
    expected: usize,
    /// Held besides the text.
    besides: usize,
    room: Room,
    refused: Option<Problem>,
}

impl Buffer {
    pub(super) fn new(room: Room, expected: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            segments: Vec::new(),
            filled: 0,
            capacity: 0,
            expected,
            besides: 0,
            room,
            refused: None,
        }
    }

    fn len(&self) -> usize {
        self.chunk.len() + self.filled
    }

    /// Holds what a decompressor needs, too.
    fn with_inflate(&mut self) -> Result<(), Problem> {
        let need = self.capacity + INFLATE;
        self.room.hold(need, need)?;
        self.besides = INFLATE;
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

    /// Makes room for more text, of which `waiting` bytes are here.
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

    /// Holds room for `need` bytes of text, for `wish` if there is as much; returns for how many
    /// there is.
    fn hold(&mut self, need: usize, wish: usize) -> Result<usize, Problem> {
        if need > self.room.limit() {
            return Err(Problem::BodyTooLarge);
        }
        let held = self.room.hold(need + self.besides, wish.max(need) + self.besides)?;
        Ok((held - self.besides).min(wish.max(need)))
    }

    /// Why writing to it failed; when it did not, what was written came from broken gzip.
    fn problem(&self) -> Problem {
        self.refused.unwrap_or(Problem::UnreadableBody)
    }

    fn into_message(mut self) -> Arc<Message> {
        let unused = self.capacity - self.filled;
        let bytes = match self.segments.len() {
            0 => self.chunk,
            1 => self.segments.remove(0).into(),
            _ => {
                let segments = std::mem::take(&mut self.segments);
                self.room
                    .alone_if(self.filled > JOINED_ALONE, || join(segments, self.filled))
                    .into()
            }
        };
        Message::new(bytes, self.room.complete(self.besides + unused))
    }
}

/// The text as a whole; each segment is given back as soon as it is copied.
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
                self.refused = Some(problem);
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
