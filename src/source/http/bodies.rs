//! The bodies that are being read. When memory runs short, a client that is silent loses its body
//! to one that sends.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::lock::lock;
use crate::pipeline::{Budget, Reservation};
use crate::server::MinRate;

use super::decode::{Decoder, INFLATE};
use super::problem::Problem;
use super::room::{BodyRoom, BodyShare, Evict};

/// A shorter silence does not count: the next bytes are on their way.
const MIN_SILENCE: Duration = Duration::from_millis(10);

/// All bodies that are being read.
pub(super) struct Bodies {
    share: Arc<BodyShare>,
    /// Time limit from the head of a request to the end of its body.
    pub(super) timeout: Duration,
    waiting: Mutex<Vec<Arc<WaitingBody>>>,
}

/// A body of which more bytes are expected. Another body that needs its memory may take it.
struct WaitingBody {
    partial: Mutex<Option<PartialBody>>,
    evicted: Notify,
}

/// The part of a body that has come so far.
pub(super) struct PartialBody {
    pub(super) decoder: Decoder,
    pub(super) rate: MinRate,
}

impl Bodies {
    /// Bodies of at most `limit` bytes each may hold half of `budget` while they are read, or one
    /// of them if that is more.
    pub(super) fn new(budget: &Arc<Budget>, limit: usize, timeout: Duration) -> Arc<Self> {
        let share = BodyShare::new(budget, limit, limit.saturating_add(INFLATE));
        Arc::new(Self { share: Arc::new(share), timeout, waiting: Mutex::default() })
    }

    /// Bytes of one body, at most.
    pub(super) fn limit(&self) -> usize {
        self.share.limit
    }

    /// The room for a new body, which holds no memory yet.
    pub(super) fn room(self: &Arc<Self>) -> Result<BodyRoom, Problem> {
        let others: Arc<dyn Evict> = Arc::<Self>::clone(self);
        BodyRoom::new(Arc::clone(&self.share), others)
    }

    /// Holds `bytes` for a small body that came at once; `None`: it is not small, or nobody has
    /// given up any memory for it so far.
    pub(super) fn hold_at_once(&self, bytes: usize) -> Option<Reservation> {
        self.share.hold_at_once(bytes)
    }

    /// From now on other bodies may take the memory of `partial`.
    pub(super) fn wait(
        self: &Arc<Self>,
        mut partial: PartialBody,
    ) -> Result<WaitingHandle, Problem> {
        partial.decoder.room()?.wait()?;
        let body =
            Arc::new(WaitingBody { partial: Mutex::new(Some(partial)), evicted: Notify::new() });
        self.lock().push(Arc::clone(&body));
        Ok(WaitingHandle { bodies: Arc::clone(self), body })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<WaitingBody>>> {
        lock(&self.waiting)
    }
}

impl Evict for Bodies {
    /// Gives up the silent body with the largest product of silence and bytes held.
    fn evict(&self) -> bool {
        let now = Instant::now();
        let mut waiting = self.lock();
        let burden = |(at, body): (usize, &Arc<WaitingBody>)| {
            // The body that needs memory is locked, and so is one that is just being read.
            let partial = body.partial.try_lock().ok()?;
            let PartialBody { decoder, rate } = partial.as_ref()?;
            let silence = rate.silence(now);
            (silence >= MIN_SILENCE).then(|| (decoder.held() as u128 * silence.as_micros(), at))
        };
        let heaviest = waiting.iter().enumerate().filter_map(burden).max();
        let Some((_, at)) = heaviest else { return false };
        let body = waiting.swap_remove(at);
        drop(waiting);
        body.evicted.notify_one();
        let partial = lock(&body.partial).take();
        drop(partial);
        true
    }
}

/// A body among those that wait; leaves them when dropped.
pub(super) struct WaitingHandle {
    bodies: Arc<Bodies>,
    body: Arc<WaitingBody>,
}

impl WaitingHandle {
    /// Resolves when another body took the memory of this one.
    pub(super) async fn evicted(&self) {
        self.body.evicted.notified().await;
    }

    /// Runs `go_on` with what has come so far.
    ///
    /// # Errors
    /// Another body took the memory, or `go_on` failed.
    pub(super) fn with<T>(
        &self,
        go_on: impl FnOnce(&mut PartialBody) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut partial = lock(&self.body.partial);
        go_on(partial.as_mut().ok_or(Problem::BodyEvicted)?)
    }

    /// Takes what has come, to complete it.
    ///
    /// # Errors
    /// Another body took the memory.
    pub(super) fn leave(self) -> Result<PartialBody, Problem> {
        let mut partial = lock(&self.body.partial);
        partial.take().ok_or(Problem::BodyEvicted)
    }
}

impl Drop for WaitingHandle {
    fn drop(&mut self) {
        let mut waiting = self.bodies.lock();
        if let Some(at) = waiting.iter().position(|body| Arc::ptr_eq(body, &self.body)) {
            waiting.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use axum::body::Body;
    use bytes::Bytes;
    use hyper::body::Frame;
    use prometheus::IntGauge;
    use tokio::task::{JoinHandle, yield_now};
    use tokio::time::advance;

    use super::super::body::read;
    use super::super::encoding::Encoding;
    use super::*;
    use crate::pipeline::Busy;

    const MIB: usize = 1024 * 1024;

    /// A body whose end never comes.
    struct Unfinished(Option<Bytes>);

    impl hyper::body::Body for Unfinished {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.take().map_or(Poll::Pending, |chunk| Poll::Ready(Some(Ok(Frame::data(chunk)))))
        }
    }

    fn bodies() -> Arc<Bodies> {
        let budget = Budget::new(32 * MIB, IntGauge::new("held", "held").unwrap());
        Bodies::new(&budget, 8 * MIB, Duration::from_secs(30))
    }

    /// Reads a body that never ends after `size` bytes.
    async fn unfinished(bodies: &Arc<Bodies>, size: usize) -> JoinHandle<Option<Problem>> {
        let (body, bodies) =
            (Body::new(Unfinished(Some(vec![b' '; size].into()))), Arc::clone(bodies));
        let reading =
            tokio::spawn(async move { read(body, Encoding::Identity, &bodies).await.err() });
        yield_now().await;
        reading
    }

    /// Reads a body that comes at once.
    async fn whole(bodies: &Arc<Bodies>, size: usize) -> Option<Problem> {
        read(Body::from(vec![b' '; size]), Encoding::Identity, bodies).await.err()
    }

    #[tokio::test(start_paused = true)]
    async fn silent_bodies_are_evicted_and_large_ones_leave_room_for_others() {
        let bodies = bodies();
        let silent = unfinished(&bodies, 7 * MIB).await;
        assert_eq!(
            whole(&bodies, 7 * MIB).await,
            Some(Problem::Busy(Busy::Full)),
            "nobody is silent yet"
        );
        assert_eq!(whole(&bodies, MIB).await, None, "large bodies leave a quarter");
        advance(MIN_SILENCE).await;
        assert_eq!(whole(&bodies, 7 * MIB).await, None);
        assert_eq!(silent.await.unwrap(), Some(Problem::BodyEvicted));
        assert_eq!((bodies.share.budget.held(), bodies.share.budget.reading()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_silent_body_that_holds_most_for_longest_is_evicted() {
        let bodies = bodies();
        let small = unfinished(&bodies, MIB).await;
        advance(MIN_SILENCE).await;
        let large = unfinished(&bodies, 7 * MIB).await;
        advance(MIN_SILENCE).await;
        assert_eq!(whole(&bodies, 7 * MIB).await, None);
        assert_eq!(large.await.unwrap(), Some(Problem::BodyEvicted));
        assert!(!small.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn many_small_silent_bodies_keep_nobody_out() {
        let bodies = bodies();
        let mut silent = Vec::new();
        for _ in 0..1000 {
            silent.push(unfinished(&bodies, 64 * 1024).await);
            advance(Duration::from_millis(1)).await;
        }
        assert!(bodies.share.budget.reading() <= 16 * MIB);
        for size in [100, 200_000, MIB] {
            assert_eq!(whole(&bodies, size).await, None, "{size} bytes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_falls_behind_is_given_up() {
        for size in [0, 100, 7 * MIB] {
            let (bodies, begun) = (bodies(), Instant::now());
            assert_eq!(
                unfinished(&bodies, size).await.await.unwrap(),
                Some(Problem::BodyTimeout),
                "{size} bytes"
            );
            assert_eq!(
                (begun.elapsed().as_secs(), bodies.share.budget.held()),
                (10, 0),
                "{size} bytes"
            );
        }
    }
}
