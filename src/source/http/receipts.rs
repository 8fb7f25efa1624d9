//! Collects how the events of one request ended.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use futures_util::task::AtomicWaker;

use crate::event::RejectReason;
use crate::pipeline::{Outcome, Receipts};

/// The receipts of one request: counts its events down to none.
struct RequestReceipts {
    events: usize,
    pending: AtomicUsize,
    failed: AtomicBool,
    rejected: OnceLock<RejectReason>,
    cancelled: AtomicBool,
    /// The task that waits for the last event.
    waiting: AtomicWaker,
}

impl Receipts for RequestReceipts {
    fn settle(&self, _position: u64, outcome: Outcome) {
        match outcome {
            Outcome::Failed => self.failed.store(true, Ordering::Relaxed),
            Outcome::Rejected(reason) => _ = self.rejected.set(reason),
            Outcome::Written | Outcome::Stale | Outcome::Skipped(_) | Outcome::DeadLettered(_) => {}
        }
        // Release here pairs with Acquire where the count is read: a task that sees the last event
        // settled also sees how the others ended.
        if self.pending.fetch_sub(1, Ordering::Release) == 1 {
            self.waiting.wake();
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

/// A request that waits for its events. Dropping it takes back the events that are not sent yet;
/// that happens at the deadline, and when the client goes away.
pub(super) struct Pending(Arc<RequestReceipts>);

/// How a request ended as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestOutcome {
    /// Some event was not written; the client must send it again.
    pub(super) failed: bool,
    /// Why the first rejected event was rejected.
    pub(super) rejected: Option<RejectReason>,
}

impl Pending {
    /// A request of `events` events, each of which is settled once through the receipts.
    pub(super) fn new(events: usize) -> (Self, Arc<dyn Receipts>) {
        let receipts = Arc::new(RequestReceipts {
            events,
            pending: AtomicUsize::new(events),
            failed: AtomicBool::new(false),
            rejected: OnceLock::new(),
            cancelled: AtomicBool::new(false),
            waiting: AtomicWaker::new(),
        });
        (Self(Arc::clone(&receipts)), receipts)
    }

    /// Events settled so far.
    pub(super) fn settled(&self) -> usize {
        self.0.events - self.0.pending.load(Ordering::Acquire)
    }

    /// Returns when every event is settled.
    pub(super) async fn outcome(&self) -> RequestOutcome {
        let all_settled = || self.0.pending.load(Ordering::Acquire) == 0;
        poll_fn(|cx| {
            if !all_settled() {
                self.0.waiting.register(cx.waker());
                // The last one may have been settled before there was a task to wake.
                if !all_settled() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        })
        .await;
        RequestOutcome {
            failed: self.0.failed.load(Ordering::Relaxed),
            rejected: self.0.rejected.get().copied(),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.cancelled.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::event::SkipReason;

    #[tokio::test]
    async fn waits_for_the_last_event() {
        let (pending, receipts) = Pending::new(2);
        let mut outcome = pin!(pending.outcome());
        receipts.settle(0, Outcome::Written);
        assert!(futures_now(&mut outcome).await.is_none(), "one of two is settled");
        receipts.settle(1, Outcome::Skipped(SkipReason::NotIdentify));
        assert_eq!(outcome.await, RequestOutcome { failed: false, rejected: None });
    }

    #[tokio::test]
    async fn one_failure_makes_the_request_fail_and_the_first_rejection_is_kept() {
        let (pending, receipts) = Pending::new(4);
        receipts.settle(1, Outcome::Rejected(RejectReason::TooDeep));
        receipts.settle(0, Outcome::Failed);
        receipts.settle(3, Outcome::Rejected(RejectReason::TooLarge));
        receipts.settle(2, Outcome::Written);
        assert_eq!(
            pending.outcome().await,
            RequestOutcome { failed: true, rejected: Some(RejectReason::TooDeep) }
        );
    }

    #[tokio::test]
    async fn dropping_the_request_takes_the_rest_back() {
        let (pending, receipts) = Pending::new(1);
        assert!(!receipts.cancelled());
        drop(pending);
        assert!(receipts.cancelled());
    }

    /// The future's output if it is ready now.
    async fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = std::future::ready(()) => None,
        }
    }
}
