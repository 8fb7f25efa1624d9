//! One plain connection to Redis: commands out, replies in, strictly in turn.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use redis::{Cmd, ServerError, Value};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until};

use super::identity::Identity;
use super::reply;
use super::stream::Stream;
use super::tls_session::TlsSession;
use crate::redis::errors::{Broken, QueryError, ServerNames, Trouble};

/// Bytes of one read: the replies to 4,000 HSETs.
const READ: usize = 16 * 1024;

/// Whether the writes of a batch may still be sent.
pub type Allowed<'a> = &'a (dyn Fn() -> bool + Sync);

/// An open, authenticated connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    /// Bytes of a reply that is not complete.
    received: BytesMut,
    response_timeout: Duration,
    /// Bytes of replies that are held before they are read.
    reply_limit: usize,
    unfinished: bool,
    identity: Option<Identity>,
    run_id: Option<String>,
    tls: Option<TlsSession>,
    names: ServerNames,
}

impl Connection {
    /// A connection on which nothing was sent yet.
    pub(super) fn new(
        stream: Box<dyn Stream>,
        tls: Option<TlsSession>,
        names: ServerNames,
        response_timeout: Duration,
    ) -> Self {
        let received = BytesMut::with_capacity(2 * READ);
        Self {
            stream,
            received,
            response_timeout,
            reply_limit: usize::MAX,
            unfinished: false,
            identity: None,
            run_id: None,
            tls,
            names,
        }
    }

    /// The same, with what the server says of this connection and of itself.
    pub(super) fn identified(self, identity: Option<Identity>, run_id: Option<String>) -> Self {
        Self { identity, run_id, ..self }
    }

    /// The same, with an error for replies that are longer than so many bytes.
    pub(in crate::redis) fn with_reply_limit(self, reply_limit: usize) -> Self {
        Self { reply_limit, ..self }
    }

    /// How the server knows this connection; `None`: its ACL, or a proxy, does not allow to ask.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// `run_id` of the server, which changes when the server restarts; `None`: its ACL, or a proxy,
    /// does not allow to ask.
    pub fn run_id(&self) -> Option<&str> {
        self.run_id.as_deref()
    }

    /// `None`: plain text.
    pub fn tls(&self) -> Option<&TlsSession> {
        self.tls.as_ref()
    }

    /// The meaning of an error reply on this connection.
    pub(in crate::redis) fn trouble(&self, error: &ServerError) -> Trouble {
        Trouble::reply(error, self.names)
    }

    /// Sends one control command and returns its reply.
    pub async fn query(&mut self, command: &Cmd) -> Result<Value, QueryError> {
        let mut replies = Vec::with_capacity(1);
        self.exchange(&command.get_packed_command(), 1, &mut replies).await?;
        match replies.pop().ok_or(Broken::Closed)? {
            Value::ServerError(error) => Err(QueryError::Reply(self.trouble(&error))),
            value => Ok(value),
        }
    }

    /// Closes the lost connection `old` on the server: bytes that it sent may still be on their
    /// way, and none of them can be applied from now on. False: the server does not have that
    /// connection (any more), or was restarted.
    pub async fn fence(&mut self, old: &Identity) -> Result<bool, QueryError> {
        let run_id = self.identity.as_ref().and_then(|own| own.run_id.as_deref());
        if run_id.zip(old.run_id.as_deref()).is_some_and(|(now, then)| now != then) {
            return Ok(false);
        }
        // Ids start anew with the server; with the address, no other connection can be closed.
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(old.id).arg("ADDR").arg(&old.addr);
        Ok(self.query(&kill).await? != Value::Int(0))
    }

    /// Writes `packed` and pushes `count` replies to `replies`, error replies as
    /// [`Value::ServerError`]. On [`Broken`] the replies that arrived stay, and the connection must
    /// be dropped.
    ///
    /// Reads while it writes, so that neither side waits for the other. Times out after
    /// `response_timeout` in which neither a byte could be written nor a reply arrived.
    pub async fn exchange(
        &mut self,
        packed: &[u8],
        count: usize,
        replies: &mut Vec<Value>,
    ) -> Result<(), Broken> {
        self.exchange_while(&|| true, packed, count, replies).await
    }

    /// [`Connection::exchange`] that writes nothing more once `allowed` is false.
    pub(in crate::redis) async fn exchange_while(
        &mut self,
        allowed: Allowed<'_>,
        packed: &[u8],
        count: usize,
        replies: &mut Vec<Value>,
    ) -> Result<(), Broken> {
        if std::mem::replace(&mut self.unfinished, true) {
            return Err(Broken::Unfinished);
        }
        let wanted = replies.len() + count;
        let timeout = self.response_timeout;
        let mut sending = Sending { rest: packed, flushed: false, failed: false, withdrawn: false };
        let mut last = (packed.len(), replies.len());
        let mut deadline = pin!(sleep_until(Instant::now() + timeout));
        std::future::poll_fn(|cx| {
            sending.poll(cx, &mut *self.stream, allowed);
            if sending.withdrawn {
                return Poll::Ready(Err(Broken::Withdrawn));
            }
            if let Poll::Ready(received) = self.poll_receive(cx, replies, wanted) {
                return Poll::Ready(received);
            }
            let progress = (sending.rest.len(), replies.len());
            if progress != last {
                last = progress;
                deadline.as_mut().reset(Instant::now() + timeout);
            }
            deadline.as_mut().poll(cx).map(|()| Err(Broken::Timeout(timeout)))
        })
        .await?;
        // More replies than commands, or a reply to a command that was not sent: replies and
        // commands no longer match.
        if !self.received.is_empty() || !sending.rest.is_empty() {
            return Err(Broken::Malformed);
        }
        self.unfinished = false;
        Ok(())
    }

    /// Waits for the next message on a connection that subscribed to messages.
    pub(in crate::redis) async fn receive(&mut self) -> Result<Value, Broken> {
        let mut replies = Vec::with_capacity(1);
        std::future::poll_fn(|cx| self.poll_receive(cx, &mut replies, 1)).await?;
        replies.pop().ok_or(Broken::Closed)
    }

    /// Sends nothing; an error if the server has closed the connection.
    pub(in crate::redis) async fn still_open(&mut self) -> Result<(), Broken> {
        let mut replies = Vec::new();
        let received = std::future::poll_fn(|cx| match self.poll_receive(cx, &mut replies, 1) {
            Poll::Pending => Poll::Ready(Ok(())),
            // A reply without a command.
            Poll::Ready(received) => Poll::Ready(received.and(Err(Broken::Malformed))),
        });
        received.await
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        replies: &mut Vec<Value>,
        wanted: usize,
    ) -> Poll<Result<(), Broken>> {
        loop {
            if reply::drain(&mut self.received, replies, wanted).is_err() {
                // 21 and 22 begin a TLS record: an alert, a handshake.
                let tls = matches!(self.received.first(), Some(21 | 22));
                return Poll::Ready(Err(if tls { Broken::Tls } else { Broken::Malformed }));
            }
            if replies.len() == wanted {
                return Poll::Ready(Ok(()));
            }
            self.received.reserve(READ);
            match pin!(self.stream.read_buf(&mut self.received)).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Broken::Closed)),
                Poll::Ready(Ok(_)) if self.received.len() > self.reply_limit => {
                    return Poll::Ready(Err(Broken::TooLarge));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Err(Broken::Closed));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Io(error))),
            }
        }
    }
}

/// The bytes that are left to write.
struct Sending<'a> {
    rest: &'a [u8],
    flushed: bool,
    failed: bool,
    /// Bytes were left to write, and writing was no longer allowed.
    withdrawn: bool,
}

impl Sending<'_> {
    /// Writes as much as the socket takes. An error is not reported: a server that hangs up may
    /// have sent the reason first, which is still to be read; then reading ends too.
    fn poll(&mut self, cx: &mut Context<'_>, stream: &mut dyn Stream, allowed: Allowed<'_>) {
        while !self.failed && !self.rest.is_empty() {
            self.withdrawn = !allowed();
            if self.withdrawn {
                return;
            }
            match Pin::new(&mut *stream).poll_write(cx, self.rest) {
                Poll::Pending => return,
                Poll::Ready(Ok(written)) => {
                    self.rest = &self.rest[written..];
                    self.failed = written == 0;
                }
                Poll::Ready(Err(_)) => self.failed = true,
            }
        }
        if !self.failed && !self.flushed {
            match Pin::new(&mut *stream).poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(flushed) => {
                    (self.flushed, self.failed) = (flushed.is_ok(), flushed.is_err())
                }
            }
        }
    }
}
