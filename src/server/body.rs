//! A request's body that tells its connection when it is waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::phase::Phase;

pub(super) struct Watched {
    body: Incoming,
    phase: Arc<Phase>,
    awaited: bool,
}

impl Watched {
    pub(super) fn new(body: Incoming, phase: Arc<Phase>) -> Self {
        Self { body, phase, awaited: false }
    }

    fn ended(&mut self) {
        if std::mem::take(&mut self.awaited) {
            self.phase.body_ended();
        }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match &frame {
            Poll::Pending if !self.awaited => {
                self.awaited = true;
                self.phase.body_awaited();
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

impl Drop for Watched {
    fn drop(&mut self) {
        self.ended();
    }
}
