//! The wakers of a connection's task: they tell which of its parts was woken, and leave out turns
//! of the task that are not needed.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU8};
use std::task::{Context, Poll, Wake, Waker};

thread_local! {
    static HOLD: Cell<Hold> = const { Cell::new(Hold::No) };
}

/// Whether the next wake-up on this thread is held back.
#[derive(Default)]
enum Hold {
    #[default]
    No,
    Next,
    /// This is the one that was held back.
    Held(Arc<ServingWaker>),
}

/// Holds one wake-up back for as long as it lives.
struct Holding;

impl Holding {
    fn begin() -> Self {
        HOLD.set(Hold::Next);
        Self
    }

    fn held(&self) -> Option<Arc<ServingWaker>> {
        match HOLD.take() {
            Hold::Held(waker) => Some(waker),
            Hold::No | Hold::Next => None,
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        HOLD.set(Hold::No);
    }
}

/// Wakes a connection's task for the part that serves its client.
struct ServingWaker {
    task: Waker,
    /// [`IDLE`], [`POLLED`] or [`WOKEN`].
    state: AtomicU8,
}

/// The part is not being polled.
const IDLE: u8 = 0;
/// The part is being polled.
const POLLED: u8 = 1;
/// The part is being polled, and was woken since that began.
const WOKEN: u8 = 2;

impl ServingWaker {
    fn wake_task(&self) {
        if self.state.compare_exchange(POLLED, WOKEN, AcqRel, Acquire) == Err(IDLE) {
            self.task.wake_by_ref();
        }
    }
}

impl Wake for ServingWaker {
    fn wake(self: Arc<Self>) {
        match HOLD.take() {
            Hold::Next => HOLD.set(Hold::Held(self)),
            before => {
                HOLD.set(before);
                self.wake_task();
            }
        }
    }
}

/// Takes the next part of a body from hyper, which then wakes its own task to read one more: the
/// task would run again, perhaps with another thread started for it. When `is_last` says that no
/// part follows, there is no such wake-up.
pub(super) fn take_part<B, T>(
    body: &mut B,
    take: impl FnOnce(&mut B) -> T,
    is_last: impl FnOnce(&B) -> bool,
) -> T {
    let holding = Holding::begin();
    let part = take(body);
    let held = holding.held();
    drop(holding);
    if let Some(waker) = held
        && !is_last(body)
    {
        waker.wake_task();
    }
    part
}

/// Wakes a connection's task for the part that waits for signals: the stop, a deadline.
struct SignalWaker {
    task: Waker,
    woken: AtomicBool,
}

impl Wake for SignalWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release pairs with Acquire where the flag is taken.
        self.woken.store(true, Release);
        self.task.wake_by_ref();
    }
}

/// How often a part that wakes itself is polled before other tasks have their turn. Each time hyper
/// may have read some KiB of a body.
const POLLS: usize = 8;

/// The wakers of one task.
pub(super) struct Wakers {
    serving: Arc<ServingWaker>,
    serving_waker: Waker,
    signals: Arc<SignalWaker>,
    signals_waker: Waker,
}

impl Wakers {
    /// The wakers of the task with `waker`. The signals count as woken.
    pub(super) fn new(waker: &Waker) -> Self {
        let (task, state) = (waker.clone(), AtomicU8::new(IDLE));
        let serving = Arc::new(ServingWaker { task, state });
        let (task, woken) = (waker.clone(), AtomicBool::new(true));
        let signals = Arc::new(SignalWaker { task, woken });
        Self {
            serving_waker: Arc::clone(&serving).into(),
            serving,
            signals_waker: Arc::clone(&signals).into(),
            signals,
        }
    }

    /// Whether they wake the task of `cx`.
    pub(super) fn are_of(&self, cx: &Context<'_>) -> bool {
        self.signals.task.will_wake(cx.waker())
    }

    /// Polls the part that serves the client. While it is woken meanwhile, also by itself, it is
    /// polled again at once: that takes less than another turn of the task.
    pub(super) fn poll_serving<T>(
        &self,
        mut serve: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let ServingWaker { task, state } = &*self.serving;
        for _ in 0..POLLS {
            state.store(POLLED, Release);
            if let Poll::Ready(done) = serve(&mut Context::from_waker(&self.serving_waker)) {
                state.store(IDLE, Release);
                return Poll::Ready(done);
            }
            if state.swap(IDLE, AcqRel) == POLLED {
                return Poll::Pending;
            }
        }
        task.wake_by_ref();
        Poll::Pending
    }

    /// Whether a signal was woken since this was asked last.
    pub(super) fn signalled(&self) -> bool {
        self.signals.woken.load(Relaxed) && self.signals.woken.swap(false, Acquire)
    }

    /// For the part that waits for signals.
    pub(super) fn signals(&self) -> Context<'_> {
        Context::from_waker(&self.signals_waker)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// Wakers of a task, and how often that was woken since this was asked last.
    fn wakers() -> (Wakers, impl Fn() -> usize) {
        let count = Arc::new(Count::default());
        let wakers = Wakers::new(&Arc::clone(&count).into());
        assert!(wakers.are_of(&Context::from_waker(&Arc::clone(&count).into())));
        assert!(!wakers.are_of(&wakers.signals()));
        (wakers, move || count.0.swap(0, Relaxed))
    }

    /// Polls with `serve`, which never ends; how often it was polled.
    fn polls(wakers: &Wakers, mut serve: impl FnMut(&mut Context<'_>)) -> usize {
        let mut polls = 0;
        let polled = wakers.poll_serving(|cx| {
            polls += 1;
            serve(cx);
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
        polls
    }

    #[test]
    fn a_part_that_wakes_itself_is_polled_at_once_and_gives_way_in_the_end() {
        let (wakers, woken) = wakers();
        let mut first = true;
        let once = |cx: &mut Context<'_>| {
            if std::mem::take(&mut first) {
                cx.waker().wake_by_ref();
            }
        };
        assert_eq!((polls(&wakers, once), woken()), (2, 0));
        assert_eq!((polls(&wakers, |cx| cx.waker().wake_by_ref()), woken()), (POLLS, 1));
        let mut waker = None;
        assert_eq!((polls(&wakers, |cx| waker = Some(cx.waker().clone())), woken()), (1, 0));
        waker.iter().for_each(Waker::wake_by_ref);
        assert_eq!(woken(), 1, "between two polls the task is woken");
    }

    #[test]
    fn only_the_last_part_of_a_body_wakes_nobody() {
        let (wakers, woken) = wakers();
        for (last, again) in [(true, 0), (false, 1)] {
            let mut parts = 0;
            let take = |cx: &mut Context<'_>| {
                if parts == 0 {
                    let waker = cx.waker().clone();
                    take_part(&mut parts, |parts| *parts += 1, |_| last);
                    take_part(&mut parts, |_| waker.wake(), |_| last);
                }
            };
            assert_eq!((polls(&wakers, take), woken()), (1 + again, 0));
        }
        let take = |cx: &mut Context<'_>| {
            take_part(&mut (), |()| (), |()| true);
            cx.waker().wake_by_ref();
        };
        assert_eq!((polls(&wakers, take), woken()), (POLLS, 1), "what comes later is not held");
    }

    #[test]
    fn a_signal_is_told_once() {
        let (wakers, woken) = wakers();
        assert_eq!((wakers.signalled(), wakers.signalled()), (true, false));
        wakers.signals().waker().wake_by_ref();
        assert_eq!((woken(), wakers.signalled(), wakers.signalled()), (1, true, false));
        polls(&wakers, |cx| cx.waker().wake_by_ref());
        assert!(!wakers.signalled());
    }
}
