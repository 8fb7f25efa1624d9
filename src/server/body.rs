//! A request's body that reports to its connection's activity when more of it is needed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::activity::Activity;
use super::timer::RequestTimer;
use super::wakers;

/// A body, as hyper reads it.
pub struct WatchedBody {
    body: Incoming,
    activity: Arc<Activity>,
    /// More of the body is needed, and the activity knows.
    awaited: bool,
}

impl WatchedBody {
    pub(super) fn new(body: Incoming, activity: Arc<Activity>) -> Self {
        Self { body, activity, awaited: false }
    }

    /// The timer of the request.
    pub fn timer(&self) -> RequestTimer {
        RequestTimer::new(Arc::clone(&self.activity))
    }

    fn ended(&mut self) {
        if std::mem::take(&mut self.awaited) {
            self.activity.body_ended();
        }
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let take = |body: &mut Incoming| Pin::new(body).poll_frame(cx);
        let frame = wakers::take_part(&mut self.body, take, Incoming::is_end_stream);
        match &frame {
            Poll::Pending if !self.awaited => {
                self.awaited = true;
                self.activity.body_awaited();
            }
            Poll::Ready(Some(Ok(_))) if !self.body.is_end_stream() => {}
            Poll::Ready(_) => self.ended(),
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        self.ended();
    }
}
