//! Room for bodies while they are read: a share of the budget, in which whoever is silent gives way
//! to whoever sends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::pipeline::{Budget, Busy, Reservation};

use super::decode::{Decoder, INFLATE};
use super::pace::Pace;
use super::problem::Problem;

/// A body that came at once, and holds no more, is not counted as one that is being read.
const SMALL: usize = 128 * 1024;
/// A body that holds more must leave a quarter of the share to others.
const LARGE: usize = 1024 * 1024;
/// A client that was silent for less is one whose next bytes are on their way.
const PAUSE: Duration = Duration::from_millis(10);

/// All bodies that are being read.
pub(super) struct Bodies {
    budget: Arc<Budget>,
    /// The largest body.
    pub(super) limit: usize,
    /// The longest time from the head of a request to the end of its body.
    pub(super) timeout: Duration,
    share: usize,
    share_of_large: usize,
    slots: Mutex<Vec<Arc<Slot>>>,
    /// Held while a large body is joined: only one is there twice at a time.
    joining: Mutex<()>,
}

/// A body that is waited for. Whoever needs its room takes it.
struct Slot {
    body: Mutex<Option<Partial>>,
    gave_way: Notify,
}

/// A body as far as it has come.
pub(super) struct Partial {
    pub(super) decoder: Decoder,
    pub(super) pace: Pace,
}

impl Bodies {
    /// Bodies of at most `limit` bytes each may hold half of `budget` while they are read, or one
    /// of them if that is more.
    pub(super) fn new(budget: &Arc<Budget>, limit: usize, timeout: Duration) -> Arc<Self> {
        let whole = limit.saturating_add(INFLATE);
        let share = (budget.limit() / 2).max(whole).min(budget.limit());
        let share_of_large = (share - share / 4).max(whole).min(share);
        let (slots, joining) = Default::default();
        Arc::new(Self {
            budget: Arc::clone(budget),
            limit,
            timeout,
            share,
            share_of_large,
            slots,
            joining,
        })
    }

    /// Room for nothing yet.
    pub(super) fn room(self: &Arc<Self>) -> Result<Room, Problem> {
        let held = self.budget.try_reserve(0).ok_or(Problem::Busy(Busy::Full))?;
        Ok(Room { bodies: Arc::clone(self), held, at_once: true })
    }

    /// From now on `partial` may have to give way.
    pub(super) fn enter(self: &Arc<Self>, mut partial: Partial) -> Result<Entered, Problem> {
        partial.decoder.room()?.wait()?;
        let slot = Arc::new(Slot { body: Mutex::new(Some(partial)), gave_way: Notify::new() });
        self.lock().push(Arc::clone(&slot));
        Ok(Entered { bodies: Arc::clone(self), slot })
    }

    /// Takes the room of the silent body that holds most for longest; false when there is none.
    fn make_room(&self) -> bool {
        let now = Instant::now();
        let mut slots = self.lock();
        let burden = |(at, slot): (usize, &Arc<Slot>)| {
            // The body that asks is locked, and so is one that is just being read.
            let body = slot.body.try_lock().ok()?;
            let Partial { decoder, pace } = body.as_ref()?;
            let silence = pace.silence(now);
            (silence >= PAUSE).then(|| (decoder.held() as u128 * silence.as_micros(), at))
        };
        let Some((_, at)) = slots.iter().enumerate().filter_map(burden).max() else { return false };
        let slot = slots.swap_remove(at);
        drop(slots);
        slot.gave_way.notify_one();
        let gone = slot.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(gone);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a body that is waited for; left when dropped.
pub(super) struct Entered {
    bodies: Arc<Bodies>,
    slot: Arc<Slot>,
}

impl Entered {
    /// Resolves when another body took the room.
    pub(super) async fn gave_way(&self) {
        self.slot.gave_way.notified().await;
    }

    /// Goes on with what has come so far, if it still has its room.
    pub(super) fn with<T>(
        &self,
        go_on: impl FnOnce(&mut Partial) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut body = self.slot.body.lock().unwrap_or_else(PoisonError::into_inner);
        go_on(body.as_mut().ok_or(Problem::BodyGaveWay)?)
    }

    /// Takes what has come, to finish it.
    pub(super) fn leave(self) -> Result<Partial, Problem> {
        self.slot
            .body
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or(Problem::BodyGaveWay)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut slots = self.bodies.lock();
        if let Some(at) = slots.iter().position(|slot| Arc::ptr_eq(slot, &self.slot)) {
            slots.swap_remove(at);
        }
    }
}

/// The room of one body.
pub(super) struct Room {
    bodies: Arc<Bodies>,
    held: Reservation,
    /// Nothing of the body was waited for so far.
    at_once: bool,
}

impl Room {
    pub(super) fn held(&self) -> usize {
        self.held.bytes()
    }

    pub(super) fn limit(&self) -> usize {
        self.bodies.limit
    }

    /// Holds `need` bytes in all, or `wish` if there is as much without taking it from anybody;
    /// returns how many it is.
    pub(super) fn hold(&mut self, need: usize, wish: usize) -> Result<usize, Problem> {
        let held = self.held.bytes();
        if need <= held || (wish > need && self.try_grow(wish - held)) {
            return Ok(self.held.bytes());
        }
        while !self.try_grow(need - held) {
            if !self.bodies.make_room() {
                return Err(Problem::Busy(Busy::Full));
            }
        }
        Ok(need)
    }

    /// The rest of the body is waited for: what is held counts towards the share.
    fn wait(&mut self) -> Result<(), Problem> {
        self.at_once = false;
        while !self.try_grow(0) {
            if !self.bodies.make_room() {
                return Err(Problem::Busy(Busy::Full));
            }
        }
        Ok(())
    }

    fn try_grow(&mut self, more: usize) -> bool {
        let Bodies { share, share_of_large, .. } = *self.bodies;
        match self.held.bytes() + more {
            sum if sum <= SMALL && self.at_once => self.held.try_grow(more),
            sum if sum > LARGE => self.held.try_grow_reading(more, share_of_large),
            _ => self.held.try_grow_reading(more, share),
        }
    }

    /// Runs `join`, while no other large body is joined if this one is `large`: meanwhile it may be
    /// there twice.
    pub(super) fn alone_if<T>(&self, large: bool, join: impl FnOnce() -> T) -> T {
        let _one =
            large.then(|| self.bodies.joining.lock().unwrap_or_else(PoisonError::into_inner));
        join()
    }

    /// The body is complete, and holds `less` bytes less.
    pub(super) fn complete(mut self, less: usize) -> Reservation {
        self.held.shrink(less);
        self.held.read();
        self.held
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

    use super::super::body::{Encoding, read};
    use super::*;

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
    async fn the_silent_give_way_and_large_bodies_leave_room_for_others() {
        let bodies = bodies();
        let silent = unfinished(&bodies, 7 * MIB).await;
        assert_eq!(
            whole(&bodies, 7 * MIB).await,
            Some(Problem::Busy(Busy::Full)),
            "nobody is silent yet"
        );
        assert_eq!(whole(&bodies, MIB).await, None, "large bodies leave a quarter");
        advance(PAUSE).await;
        assert_eq!(whole(&bodies, 7 * MIB).await, None);
        assert_eq!(silent.await.unwrap(), Some(Problem::BodyGaveWay));
        assert_eq!((bodies.budget.held(), bodies.budget.reading()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn of_the_silent_the_one_that_holds_most_for_longest_gives_way() {
        let bodies = bodies();
        let small = unfinished(&bodies, MIB).await;
        advance(PAUSE).await;
        let large = unfinished(&bodies, 7 * MIB).await;
        advance(PAUSE).await;
        assert_eq!(whole(&bodies, 7 * MIB).await, None);
        assert_eq!(large.await.unwrap(), Some(Problem::BodyGaveWay));
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
        assert!(bodies.budget.reading() <= 16 * MIB);
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
            assert_eq!((begun.elapsed().as_secs(), bodies.budget.held()), (10, 0), "{size} bytes");
        }
    }
}
