//! The deadline of an answer. A connection has one timer for all its deadlines.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::Instant;

use super::activity::Activity;

/// The timer of a request: that of its connection, which is seldom set anew.
pub struct RequestTimer(Arc<Activity>);

impl RequestTimer {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        Self(activity)
    }

    /// What comes of `work`; `None` when it is not done at the `deadline`. Only for the task that
    /// serves the request.
    pub async fn timeout_at<T>(
        &self,
        deadline: std::time::Instant,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let deadline = Instant::from_std(deadline);
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            if deadline <= Instant::now() {
                return Poll::Ready(None);
            }
            self.0.answer_by(deadline);
            Poll::Pending
        })
        .await
    }
}
