//! Opens an input and decompresses it, by what it holds.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flate2::bufread::MultiGzDecoder;

/// Bytes of compressed input that are read at once.
const COMPRESSED: usize = 128 << 10;
/// The largest window of a zstd frame, as a power of two: what `zstd` itself reads without asking.
const ZSTD_WINDOW: u32 = 27;

/// How an input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Plain,
    Gzip,
    Zstd,
}

impl Compression {
    /// Bytes that tell one from the other.
    pub const HEAD: usize = 4;

    /// By the first [`Compression::HEAD`] bytes of an input.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A frame that decompressors skip, such as the one pzstd begins with.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// The word in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The compression that the ending of a file's name promises.
pub fn promised(path: &Path) -> Compression {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "gz" => Compression::Gzip,
        "zst" | "zstd" => Compression::Zstd,
        _ => Compression::Plain,
    }
}

/// Whether a text of events could begin like this. A file may have lost its compression on the way
/// and kept its name.
pub fn begins_like_text(head: &[u8]) -> bool {
    matches!(head.first(), Some(b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n' | 0xef))
}

/// The text of an input, and how it is compressed. `read` counts the bytes as they are stored.
///
/// # Errors
/// Reading the first bytes failed.
pub fn text(
    mut input: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
) -> io::Result<(Box<dyn Read + Send>, Compression)> {
    let mut head = Vec::with_capacity(Compression::HEAD);
    input.by_ref().take(Compression::HEAD as u64).read_to_end(&mut head)?;
    let compression = Compression::of(&head);
    let whole = CountedRead { input: Cursor::new(head).chain(input), read };
    let text: Box<dyn Read + Send> = match compression {
        Compression::Plain => Box::new(whole),
        Compression::Gzip => {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(COMPRESSED, whole)))
        }
        Compression::Zstd => {
            let input = BufReader::with_capacity(COMPRESSED, whole);
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Box::new(decoder)
        }
    };
    Ok((text, compression))
}

/// The text of a file from `offset` on. `read` counts the bytes as they are stored, also those that
/// were left out.
///
/// # Errors
/// The file cannot be opened, or has no more than `offset` bytes of text.
pub fn text_from(
    path: &Path,
    offset: u64,
    read: Arc<AtomicU64>,
) -> io::Result<(Box<dyn Read + Send>, Compression)> {
    let mut file = File::open(path)?;
    if offset == 0 {
        return text(Box::new(file), read);
    }
    let mut head = [0; Compression::HEAD];
    if file.read(&mut head).is_ok_and(|n| Compression::of(&head[..n]) == Compression::Plain) {
        file.seek(io::SeekFrom::Start(offset))?;
        read.fetch_add(offset, Relaxed);
        return Ok((Box::new(CountedRead { input: file, read }), Compression::Plain));
    }
    file.rewind()?;
    let (mut input, compression) = text(Box::new(file), read)?;
    let left_out = io::copy(&mut input.by_ref().take(offset), &mut io::sink())?;
    if left_out < offset {
        return Err(io::Error::other(format!("its text has only {left_out} bytes")));
    }
    Ok((input, compression))
}

/// Counts bytes as they are read.
struct CountedRead<R> {
    input: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for CountedRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.read.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// What can be read, and whether that is all.
    fn read(stored: Vec<u8>) -> (Vec<u8>, bool, Compression) {
        let size = stored.len() as u64;
        let count = Arc::new(AtomicU64::new(0));
        let (mut input, compression) =
            text(Box::new(Cursor::new(stored)), Arc::clone(&count)).unwrap();
        let mut found = Vec::new();
        let ended = input.read_to_end(&mut found).is_ok();
        assert!(!ended || count.load(Relaxed) == size);
        (found, ended, compression)
    }

    #[test]
    fn members_and_frames_one_after_the_other() {
        let skipped = b"\x50\x2a\x4d\x18\x02\0\0\0xx".to_vec();
        for (stored, compression) in [
            (b"one\ntwo\n".to_vec(), Compression::Plain),
            ([gzip(b"one\n"), gzip(b"two\n")].concat(), Compression::Gzip),
            ([zstd(b"one\n"), zstd(b"two\n")].concat(), Compression::Zstd),
            ([skipped, zstd(b"one\ntwo\n")].concat(), Compression::Zstd),
        ] {
            assert_eq!(read(stored), (b"one\ntwo\n".to_vec(), true, compression));
        }
        for short in [&b""[..], b"{", b"{}\n"] {
            assert_eq!(read(short.to_vec()), (short.to_vec(), true, Compression::Plain));
        }
    }

    #[test]
    fn what_comes_before_the_damage_is_there() {
        let lines: String = (0..20_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        for whole in [gzip(lines.as_bytes()), zstd(lines.as_bytes())] {
            let (found, ended, _) = read(whole[..whole.len() - 9].to_vec());
            assert!(!ended && lines.as_bytes().starts_with(&found) && found.len() > 1000);
            let mut damaged = whole.clone();
            damaged[whole.len() / 2] ^= 0x55;
            assert!(!read(damaged).1);
        }
    }
}
