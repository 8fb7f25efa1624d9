//! A response's body that reports to its connection's activity when a further part of it is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::activity::Activity;

/// A body, as hyper sends it. hyper asks for the next part once the client has taken most of the
/// parts before: a response that goes on for long is open for as long as its client reads.
pub(super) struct WatchedResponse<B> {
    body: B,
    activity: Arc<Activity>,
    /// A part was sent.
    begun: bool,
}

impl<B> WatchedResponse<B> {
    pub(super) fn new(body: B, activity: Arc<Activity>) -> Self {
        Self { body, activity, begun: false }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for WatchedResponse<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(_))) = frame {
            let is_whole = !self.begun && self.body.is_end_stream();
            self.begun = true;
            // The activity knows already that a response of one part began.
            if !is_whole {
                self.activity.response_continues();
            }
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
