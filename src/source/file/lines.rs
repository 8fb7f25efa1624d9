//! Cutting a file into whole lines.

use std::io::{self, Read};
use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// Whole lines of a file: one message.
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// Bytes taken from the file for it.
    pub(super) read: u64,
    /// The one line of this chunk is longer than an event may be, and only its beginning.
    pub(super) cut: bool,
}

/// Takes the next line out of `rest`, without its line end.
pub(super) fn next_line(bytes: &[u8], rest: &mut Range<usize>) -> Range<usize> {
    let end = memchr::memchr(b'\n', &bytes[rest.clone()]).map_or(rest.end, |len| rest.start + len);
    let line = rest.start..end;
    rest.start = (end + 1).min(rest.end);
    if bytes[line.clone()].ends_with(b"\r") { line.start..line.end - 1 } else { line }
}

/// Cuts an input into chunks that end at line ends.
pub(super) struct LineReader<R> {
    input: R,
    buffer: BytesMut,
    max_line: usize,
    ended: bool,
}

impl<R: Read> LineReader<R> {
    pub(super) fn new(input: R, max_line: usize) -> Self {
        Self { input, buffer: BytesMut::new(), max_line, ended: false }
    }

    /// The next lines; `None` at the end.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn next(&mut self) -> io::Result<Option<Chunk>> {
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
        let mut lines = LineReader::new(input, max_line);
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
