//! Reads a body: decompresses it, limits it, and reserves memory for each byte.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, timeout_at};

use crate::pipeline::Message;
use crate::server::MinRate;

use super::bodies::{Bodies, PartialBody, WaitingHandle};
use super::decode::{Buffer, Decoder, Gzip};
use super::encoding::Encoding;
use super::problem::Problem;

/// Compressed bytes that are decompressed at once; at most a thousand times as many come out.
const SLICE: usize = 1024;
/// A body whose client is silent for longer is given up.
const MAX_SILENCE: Duration = Duration::from_secs(10);
/// Bytes after which other tasks have their turn: of a body, compressed and decompressed, or of its
/// events.
pub(super) const TURN: usize = 64 * 1024;

/// Reads all of `body`: its text and its compressed form have at most `bodies.limit()` bytes each,
/// it comes within `bodies.timeout`, and memory is reserved for each byte as soon as it is here.
pub(super) async fn read<B: Body<Data = Bytes> + Unpin>(
    mut body: B,
    encoding: Encoding,
    bodies: &Arc<Bodies>,
) -> Result<Arc<Message>, Problem> {
    let size = body.size_hint();
    if size.lower() > bodies.limit() as u64 {
        return Err(Problem::BodyTooLarge);
    }
    let declared =
        size.upper().and_then(|upper| usize::try_from(upper).ok()).unwrap_or(bodies.limit());
    let mut first = body.frame().now_or_never();
    if encoding == Encoding::Identity && body.is_end_stream() {
        match first.map(|frame| whole(frame, bodies)) {
            Some(Ok(message)) => return Ok(message),
            other => first = other.and_then(Result::err),
        }
    }
    let room = bodies.room()?;
    let decoder = match encoding {
        Encoding::Identity => Decoder::Identity(Buffer::new(room, declared)),
        Encoding::Gzip => Decoder::Gzip(Gzip::new(Buffer::new(room, bodies.limit()))),
    };
    let begun = Instant::now();
    let deadline = begun + bodies.timeout;
    let mut reading = Reading::AtOnce(PartialBody { decoder, rate: MinRate::start(begun) });
    loop {
        let frame = match first.take().or_else(|| body.frame().now_or_never()) {
            Some(frame) => frame,
            None => {
                reading = reading.wait(bodies)?;
                reading.next(&mut body, deadline).await?
            }
        };
        let Some(frame) = frame else { break };
        // Trailers are ignored.
        if let Ok(chunk) = frame.map_err(|_| Problem::UnreadableBody)?.into_data() {
            if !body.is_end_stream() {
                reading.with(|partial| {
                    partial.rate.received(chunk.len());
                    Ok(())
                })?;
            }
            match encoding {
                Encoding::Identity => reading.with(|partial| partial.decoder.push(chunk))?,
                Encoding::Gzip => reading.inflate(chunk).await?,
            }
        }
        if body.is_end_stream() {
            break;
        }
    }
    reading.finish()
}

/// A part of a body, as it comes; `None`: there is none.
type BodyPart<E> = Option<Result<Frame<Bytes>, E>>;

/// The message of a small body that came at once, as most do: it never waits, so it needs no
/// [`BodyRoom`](super::room::BodyRoom). Anything else comes back.
fn whole<E>(frame: BodyPart<E>, bodies: &Bodies) -> Result<Arc<Message>, BodyPart<E>> {
    match frame.map(|frame| frame.map(Frame::into_data)) {
        Some(Ok(Ok(chunk))) => match bodies.hold_at_once(chunk.len()) {
            Some(held) => Ok(Message::new(chunk, held)),
            None => Err(Some(Ok(Frame::data(chunk)))),
        },
        Some(Ok(Err(frame))) => Err(Some(Ok(frame))),
        Some(Err(error)) => Err(Some(Err(error))),
        None => Err(None),
    }
}

/// A body that is being read. Most bodies come at once, and need not wait.
enum Reading {
    AtOnce(PartialBody),
    Waiting(WaitingHandle),
}

impl Reading {
    /// More of the body is needed. From now on others may take its memory, if it holds any.
    fn wait(self, bodies: &Arc<Bodies>) -> Result<Self, Problem> {
        match self {
            Self::AtOnce(partial) if partial.decoder.held() > 0 => {
                bodies.wait(partial).map(Self::Waiting)
            }
            other => Ok(other),
        }
    }

    fn with<T>(
        &mut self,
        go_on: impl FnOnce(&mut PartialBody) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        match self {
            Self::AtOnce(partial) => go_on(partial),
            Self::Waiting(waiting) => waiting.with(go_on),
        }
    }

    /// The next frame.
    ///
    /// # Errors
    /// The frame came too late, or another body took the memory.
    async fn next<B: Body<Data = Bytes> + Unpin>(
        &mut self,
        body: &mut B,
        deadline: Instant,
    ) -> Result<BodyPart<B::Error>, Problem> {
        let kept_until = self.with(|partial| Ok(partial.rate.kept_until()))?;
        let frame = timeout_at(deadline.min(kept_until + MAX_SILENCE), body.frame());
        let frame = match self {
            Self::AtOnce(_) => frame.await,
            Self::Waiting(waiting) => tokio::select! {
                biased;
                () = waiting.evicted() => return Err(Problem::BodyEvicted),
                frame = frame => frame,
            },
        };
        frame.map_err(|_| Problem::BodyTimeout)
    }

    /// Decompresses `chunk` in small pieces: a few bytes can become many.
    async fn inflate(&mut self, mut chunk: Bytes) -> Result<(), Problem> {
        let mut turn = 0;
        while !chunk.is_empty() {
            let slice = chunk.split_to(SLICE.min(chunk.len()));
            turn += slice.len();
            turn += self.with(|partial| {
                let before = partial.decoder.len();
                partial.decoder.push(slice)?;
                Ok(partial.decoder.len() - before)
            })?;
            if turn >= TURN {
                turn = 0;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Arc<Message>, Problem> {
        match self {
            Self::AtOnce(partial) => partial.decoder.finish(),
            Self::Waiting(waiting) => waiting.leave()?.decoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::body::Body;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use prometheus::IntGauge;

    use super::super::decode::INFLATE;
    use super::*;
    use crate::pipeline::{Budget, Busy};

    const LIMIT: usize = 1024 * 1024;

    fn budget(limit: usize) -> (Arc<Budget>, IntGauge) {
        let gauge = IntGauge::new("held", "held").unwrap();
        (Budget::new(limit, gauge.clone()), gauge)
    }

    /// [`super::read`] without other bodies.
    async fn read(
        body: Body,
        encoding: Encoding,
        limit: usize,
        budget: &Arc<Budget>,
    ) -> Result<Arc<Message>, Problem> {
        super::read(body, encoding, &Bodies::new(budget, limit, Duration::from_secs(30))).await
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A body that comes in pieces of `size` bytes.
    fn pieces(bytes: &[u8], size: usize) -> Body {
        let chunks: std::collections::VecDeque<Bytes> =
            bytes.chunks(size).map(Bytes::copy_from_slice).collect();
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
            std::task::Poll::Ready(
                self.0.pop_front().map(|chunk| Ok(hyper::body::Frame::data(chunk))),
            )
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
        let message = read(Body::from(chunk.clone()), Encoding::Identity, LIMIT, &budget)
            .await
            .unwrap_or_else(|p| panic!("{p:?}"));
        assert_eq!(message.bytes().as_ptr(), chunk.as_ptr());
        assert_eq!(gauge.get(), 6);
    }

    #[tokio::test]
    async fn pieces_of_any_size_are_joined() {
        let whole: Vec<u8> = (0..10_000u32).flat_map(u32::to_le_bytes).collect();
        for size in [1, 7, 4096, whole.len()] {
            assert_eq!(
                text(pieces(&whole, size), Encoding::Identity, LIMIT).await.as_deref(),
                Ok(&*whole),
                "{size}"
            );
            assert_eq!(
                text(pieces(&gzip(&whole), size), Encoding::Gzip, LIMIT).await.as_deref(),
                Ok(&*whole),
                "gzip, {size}"
            );
        }
    }

    #[tokio::test]
    async fn the_limit_is_exact_and_counts_decompressed_bytes() {
        let whole = vec![b' '; 5000];
        for (limit, expected) in [(5000, Ok(whole.clone())), (4999, Err(Problem::BodyTooLarge))] {
            assert_eq!(text(pieces(&whole, 5000), Encoding::Identity, limit).await, expected);
            assert_eq!(text(pieces(&whole, 999), Encoding::Identity, limit).await, expected);
            assert_eq!(text(Body::from(gzip(&whole)), Encoding::Gzip, limit).await, expected);
            assert_eq!(text(pieces(&gzip(&whole), 9), Encoding::Gzip, limit).await, expected);
        }
    }

    #[tokio::test]
    async fn a_bomb_is_stopped_while_it_is_read() {
        let bomb = gzip(&vec![0; 64 * LIMIT]);
        let (budget, gauge) = budget(2 * LIMIT);
        let refused = read(Body::from(bomb), Encoding::Gzip, LIMIT, &budget).await.err();
        assert_eq!(
            (refused, gauge.get()),
            (Some(Problem::BodyTooLarge), 0),
            "and not busy: the budget was never exceeded"
        );
    }

    #[tokio::test]
    async fn compressed_bytes_count_too_and_members_are_few() {
        let member = gzip(b"");
        let many = member.repeat(65);
        assert_eq!(
            text(pieces(&many, 1000), Encoding::Gzip, LIMIT).await,
            Err(Problem::UnreadableBody)
        );
        assert_eq!(
            text(pieces(&many[member.len()..], 1000), Encoding::Gzip, LIMIT).await.as_deref(),
            Ok(&[][..])
        );
        // Stored blocks of no bytes: what is compressed is larger than the text.
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        let blocks = |count| {
            [&header[..], &[0, 0, 0, 0xff, 0xff].repeat(count), &[1, 0, 0, 0xff, 0xff], &[0; 8]]
                .concat()
        };
        assert_eq!(
            text(Body::from(blocks(100)), Encoding::Gzip, LIMIT).await.as_deref(),
            Ok(&[][..])
        );
        let padded = blocks(LIMIT / 5);
        for body in [Body::from(padded.clone()), pieces(&padded, 4096)] {
            assert_eq!(text(body, Encoding::Gzip, LIMIT).await, Err(Problem::BodyTooLarge));
        }
    }

    #[tokio::test]
    async fn a_full_budget_is_busy_not_too_large() {
        let (budget, _) = budget(4000 + INFLATE);
        let _other = budget.try_reserve(3000 + INFLATE).unwrap();
        for (body, encoding) in
            [(vec![b' '; 1001], Encoding::Identity), (gzip(&[b' '; 1001]), Encoding::Gzip)]
        {
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
        for body in [&good[..good.len() - 1], &good[..12], &wrong_sum, &trailing, b"not gzip", b""]
        {
            assert_eq!(
                text(Body::from(body.to_vec()), Encoding::Gzip, LIMIT).await,
                Err(Problem::UnreadableBody),
                "{body:?}"
            );
        }
        let twice = [&*good, &*good].concat();
        assert_eq!(
            text(Body::from(twice), Encoding::Gzip, LIMIT).await.map(|text| text.len()),
            Ok(38),
            "members are joined"
        );
    }
}
