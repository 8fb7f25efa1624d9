//! Reading a body: decompressed, limited, and paid for byte by byte.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;

use crate::pipeline::{Budget, Busy, Message, Reservation};

use super::problem::Problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// What `Content-Encoding` says; it must name one encoding that is known.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let (value, None) = (values.next(), values.next()) else { return Err(Problem::UnknownEncoding) };
        match value.map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase()).as_deref() {
            None | Some(b"" | b"identity") => Ok(Self::Identity),
            Some(b"gzip" | b"x-gzip") => Ok(Self::Gzip),
            Some(_) => Err(Problem::UnknownEncoding),
        }
    }
}

/// Reads all of `body`, at most `limit` decompressed bytes of it, each held in `budget` from the moment it is here.
pub(super) async fn read(
    mut body: Body,
    encoding: Encoding,
    limit: usize,
    budget: &Arc<Budget>,
) -> Result<Arc<Message>, Problem> {
    if encoding == Encoding::Identity && body.size_hint().lower() > limit as u64 {
        return Err(Problem::BodyTooLarge);
    }
    let declared = match encoding {
        Encoding::Identity => body.size_hint().upper().and_then(|upper| usize::try_from(upper).ok()),
        Encoding::Gzip => None,
    };
    let mut decoder = Decoder::new(encoding, Buffer::new(limit, declared.unwrap_or(limit), budget)?);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::UnreadableBody)?;
        // Trailers say nothing that is of use here.
        if let Ok(chunk) = frame.into_data() {
            decoder.push(chunk)?;
        }
    }
    Ok(decoder.finish()?.into_message())
}

enum Decoder {
    Identity(Buffer),
    Gzip(Box<MultiGzDecoder<Buffer>>),
}

impl Decoder {
    fn new(encoding: Encoding, buffer: Buffer) -> Self {
        match encoding {
            Encoding::Identity => Self::Identity(buffer),
            Encoding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(buffer))),
        }
    }

    fn push(&mut self, chunk: Bytes) -> Result<(), Problem> {
        match self {
            Self::Identity(buffer) => buffer.push(chunk),
            Self::Gzip(decoder) => decoder.write_all(&chunk).map_err(|_| decoder.get_ref().problem()),
        }
    }

    fn finish(self) -> Result<Buffer, Problem> {
        match self {
            Self::Identity(buffer) => Ok(buffer),
            Self::Gzip(mut decoder) => {
                decoder.try_finish().map_err(|_| decoder.get_ref().problem())?;
                decoder.finish().map_err(|_| Problem::UnreadableBody)
            }
        }
    }
}

/// A body as far as it has come. A body of one chunk stays that chunk; more chunks are joined.
struct Buffer {
    chunk: Bytes,
    joined: Vec<u8>,
    limit: usize,
    /// More than this will not come.
    expected: usize,
    held: Reservation,
    refused: Option<Problem>,
}

impl Buffer {
    fn new(limit: usize, expected: usize, budget: &Arc<Budget>) -> Result<Self, Problem> {
        let held = budget.try_reserve(0).ok_or(Problem::Busy(Busy::Full))?;
        Ok(Self { chunk: Bytes::new(), joined: Vec::new(), limit, expected, held, refused: None })
    }

    fn push(&mut self, chunk: Bytes) -> Result<(), Problem> {
        if self.chunk.is_empty() && self.joined.is_empty() {
            self.hold(chunk.len(), chunk.len())?;
            self.chunk = chunk;
            return Ok(());
        }
        let first = std::mem::take(&mut self.chunk);
        self.extend(&first)?;
        self.extend(&chunk)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let length = self.joined.len() + bytes.len();
        if length > self.joined.capacity() {
            let room = self.hold(length, (2 * self.joined.capacity()).min(self.expected))?;
            self.joined.reserve_exact(room - self.joined.len());
        }
        self.joined.extend_from_slice(bytes);
        Ok(())
    }

    /// Holds room for `need` bytes, for `wish` if there is as much; returns how many it is.
    fn hold(&mut self, need: usize, wish: usize) -> Result<usize, Problem> {
        if need > self.limit {
            return Err(Problem::BodyTooLarge);
        }
        let held = self.held.bytes();
        [wish.max(need), need]
            .into_iter()
            .find(|&room| room <= held || self.held.try_grow(room - held))
            .ok_or(Problem::Busy(Busy::Full))
    }

    /// Why writing to it failed; when it did not, what was written came from broken gzip.
    fn problem(&self) -> Problem {
        self.refused.unwrap_or(Problem::UnreadableBody)
    }

    fn into_message(self) -> Arc<Message> {
        let bytes = if self.joined.is_empty() { self.chunk } else { self.joined.into() };
        Message::new(bytes, self.held)
    }
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

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use prometheus::IntGauge;

    use super::*;

    const LIMIT: usize = 1024 * 1024;

    fn budget(limit: usize) -> (Arc<Budget>, IntGauge) {
        let gauge = IntGauge::new("held", "held").unwrap();
        (Budget::new(limit, gauge.clone()), gauge)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A body that comes in pieces of `size` bytes.
    fn pieces(bytes: &[u8], size: usize) -> Body {
        let chunks: std::collections::VecDeque<Bytes> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
        Body::new(Pieces(chunks))
    }

    struct Pieces(std::collections::VecDeque<Bytes>);

    impl hyper::body::Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Ready(self.0.pop_front().map(|chunk| Ok(hyper::body::Frame::data(chunk))))
        }
    }

    async fn text(body: Body, encoding: Encoding, limit: usize) -> Result<Vec<u8>, Problem> {
        let (budget, gauge) = budget(16 * LIMIT);
        let message = read(body, encoding, limit, &budget).await;
        if let Ok(message) = &message {
            assert!(gauge.get() >= message.bytes().len() as i64, "less is held than is there");
        }
        let bytes = message.map(|message| message.bytes().to_vec());
        assert_eq!(gauge.get(), 0, "given back");
        bytes
    }

    #[tokio::test]
    async fn one_chunk_is_not_copied() {
        let (budget, gauge) = budget(100);
        let chunk = Bytes::from_static(b"a body");
        let message =
            read(Body::from(chunk.clone()), Encoding::Identity, LIMIT, &budget).await.unwrap_or_else(|p| panic!("{p:?}"));
        assert_eq!(message.bytes().as_ptr(), chunk.as_ptr());
        assert_eq!(gauge.get(), 6);
    }

    #[tokio::test]
    async fn pieces_of_any_size_are_joined() {
        let whole: Vec<u8> = (0..10_000u32).flat_map(u32::to_le_bytes).collect();
        for size in [1, 7, 4096, whole.len()] {
            assert_eq!(text(pieces(&whole, size), Encoding::Identity, LIMIT).await.as_deref(), Ok(&*whole), "{size}");
            assert_eq!(text(pieces(&gzip(&whole), size), Encoding::Gzip, LIMIT).await.as_deref(), Ok(&*whole), "gzip, {size}");
        }
    }

    #[tokio::test]
    async fn the_limit_is_exact_and_counts_decompressed_bytes() {
        let whole = vec![b' '; 5000];
        for (limit, expected) in [(5000, Ok(whole.clone())), (4999, Err(Problem::BodyTooLarge))] {
            assert_eq!(text(pieces(&whole, 5000), Encoding::Identity, limit).await, expected);
            assert_eq!(text(pieces(&whole, 999), Encoding::Identity, limit).await, expected);
            assert_eq!(text(Body::from(gzip(&whole)), Encoding::Gzip, limit).await, expected);
        }
    }

    #[tokio::test]
    async fn a_bomb_is_stopped_while_it_is_read() {
        let bomb = gzip(&vec![0; 64 * LIMIT]);
        let (budget, gauge) = budget(2 * LIMIT);
        let refused = read(Body::from(bomb), Encoding::Gzip, LIMIT, &budget).await.err();
        assert_eq!((refused, gauge.get()), (Some(Problem::BodyTooLarge), 0), "and not busy: the budget was never exceeded");
    }

    #[tokio::test]
    async fn a_full_budget_is_busy_not_too_large() {
        let (budget, _) = budget(4000);
        let _other = budget.try_reserve(3000).unwrap();
        for (body, encoding) in [(vec![b' '; 1001], Encoding::Identity), (gzip(&[b' '; 1001]), Encoding::Gzip)] {
            let refused = read(pieces(&body, 600), encoding, LIMIT, &budget).await.err();
            assert_eq!(refused, Some(Problem::Busy(Busy::Full)));
        }
        let exact = read(pieces(&[b' '; 1000], 600), Encoding::Identity, LIMIT, &budget).await;
        assert!(exact.is_ok(), "what just fits is taken, though doubling would not fit");
    }

    #[tokio::test]
    async fn broken_gzip_is_unreadable() {
        let good = gzip(b"{\"type\":\"identify\"}");
        let mut wrong_sum = good.clone();
        wrong_sum[good.len() - 8] ^= 1;
        let trailing = [&*good, b"garbage"].concat();
        for body in [&good[..good.len() - 1], &good[..12], &wrong_sum, &trailing, b"not gzip", b""] {
            assert_eq!(text(Body::from(body.to_vec()), Encoding::Gzip, LIMIT).await, Err(Problem::UnreadableBody), "{body:?}");
        }
        let twice = [&*good, &*good].concat();
        assert_eq!(text(Body::from(twice), Encoding::Gzip, LIMIT).await.map(|text| text.len()), Ok(38), "members are joined");
    }

    #[test]
    fn one_known_encoding_is_taken() {
        let of = |values: &[&str]| {
            Encoding::of(&values.iter().map(|value| (header::CONTENT_ENCODING, value.parse().unwrap())).collect())
        };
        for value in ["gzip", "GZip", "x-gzip"] {
            assert_eq!(of(&[value]), Ok(Encoding::Gzip));
        }
        for values in [&["identity"][..], &[""], &[]] {
            assert_eq!(of(values), Ok(Encoding::Identity));
        }
        for values in [&["br"][..], &["deflate"], &["zstd"], &["gzip, gzip"], &["gzip", "gzip"], &["utf-8"]] {
            assert_eq!(of(values), Err(Problem::UnknownEncoding));
        }
    }
}
