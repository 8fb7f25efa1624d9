//! One plain connection to Redis: commands out, replies in, strictly in turn.

use std::collections::BTreeMap;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use redis::{Cmd, ServerError, Value};
use secrecy::SecretString;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until};

use super::handshake::{self, Identity};
use super::password::LivePassword;
use super::stream::{self, Stream};
use super::writes::Allowed;
use super::{Class, errors, hint, reply};
use crate::config::{Address, Login, Mode, Node, Password, Redis, Tcp};
use crate::tls::{LiveTls, TlsClient, TlsError};

/// Room for one read, in bytes: the replies to 4,000 HSETs.
const READ: usize = 16 * 1024;

/// Why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    pub class: Class,
    /// Redis' own first word, or `NONE` when it did not come to that.
    pub code: String,
    /// For people: the node, what happened, what to try. No secrets.
    pub message: String,
}

/// The connection is of no use any more; what it was asked to do may or may not have been done.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("no reply for {0:?}")]
    Timeout(Duration),
    #[error("the server closed the connection")]
    Closed,
    #[error("{0}")]
    Io(io::Error),
    #[error("the answer is not Redis'")]
    Malformed,
    #[error("the answer is TLS")]
    Tls,
    #[error("an earlier exchange was cut short")]
    Unfinished,
    #[error("what was being sent may no longer be written")]
    Withdrawn,
}

/// Why a control command has no result.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error(transparent)]
    Broken(#[from] Broken),
    /// An error reply, in words that are safe to log; the connection is fine.
    #[error("{message}")]
    Reply { class: Class, code: String, message: String },
}

impl QueryError {
    pub(super) fn reply(error: &ServerError) -> Self {
        let (code, detail) = (error.code(), error.details().unwrap_or_default());
        let (class, message) = (errors::classify(code, detail), errors::explain(code, detail));
        Self::Reply { class, code: errors::safe_code(code).to_owned(), message }
    }
}

/// What was agreed with a TLS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSession {
    /// `TLSv1_3`
    pub protocol: String,
    pub cipher: String,
    pub verified: bool,
}

impl TlsSession {
    pub(super) fn of(connection: &rustls::ClientConnection, verified: bool) -> Self {
        let protocol = connection.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
        let cipher = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default();
        Self { protocol, cipher, verified }
    }
}

/// Makes connections to the configured server. Clones share everything.
#[derive(Clone)]
pub struct Connector {
    settings: Arc<Settings>,
}

/// What every connection begins with.
#[derive(Clone)]
pub(super) struct Settings {
    address: Address,
    pub(super) node: String,
    tls: Option<Arc<LiveTls>>,
    pub(super) username: Option<String>,
    password: Option<Arc<LivePassword>>,
    pub(super) database: u32,
    pub(super) client_name: String,
    /// No event is written to it: its user id is blank.
    blank_key: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    tcp: Tcp,
    /// A restricted ACL is told once, not at every reconnect.
    pub(super) warned: Arc<AtomicBool>,
    in_cluster: bool,
    /// Logins of single nodes.
    logins: Arc<BTreeMap<Node, Login>>,
}

impl Connector {
    /// Reads the PEM files.
    pub fn new(redis: &Redis) -> Result<Self, TlsError> {
        let address = match &redis.mode {
            Mode::Standalone(address) => address.clone(),
            Mode::Embedded(listen) => Address::Tcp { host: listen.ip().to_string(), port: listen.port() },
            Mode::Cluster(cluster) => address_of(&cluster.seeds[0]),
        };
        let node = match &address {
            Address::Tcp { host, port } => stream::node_of(host, *port),
            Address::Unix(_) if redis.tls.is_some() => return Err(TlsError::UnixSocket),
            Address::Unix(path) => path.display().to_string(),
        };
        let prefix = if redis.prefix.is_empty() { String::new() } else { format!("{}:", redis.prefix) };
        let settings = Settings {
            address,
            node,
            tls: redis.tls.as_ref().map(LiveTls::new).transpose()?.map(Arc::new),
            username: redis.username.clone(),
            password: redis.password.as_ref().map(LivePassword::new).map(Arc::new),
            database: redis.database,
            client_name: redis.client_name.clone(),
            blank_key: format!("{prefix}user:"),
            connect_timeout: redis.connect_timeout,
            response_timeout: redis.response_timeout,
            tcp: redis.tcp.clone(),
            warned: Arc::default(),
            in_cluster: matches!(redis.mode, Mode::Cluster(_)),
            logins: Arc::new(redis.logins.clone()),
        };
        Ok(Self { settings: Arc::new(settings) })
    }

    /// The same for another node of the cluster, with that node's own login if it has one.
    pub(super) fn to(&self, node: &Node) -> Self {
        let mut settings = Settings { address: address_of(node), node: node.to_string(), ..(*self.settings).clone() };
        if let Some(login) = self.settings.logins.get(node) {
            if login.username.is_some() {
                settings.username.clone_from(&login.username);
            }
            if let Some(password) = &login.password {
                settings.password = Some(Arc::new(LivePassword::new(&Password::Fixed(password.clone()))));
            }
        }
        Self { settings: Arc::new(settings) }
    }

    /// Whether MOVED and ASK are answers to live with.
    pub(super) fn in_cluster(&self) -> bool {
        self.settings.in_cluster
    }

    /// `host:port`, or the socket's path.
    pub fn node(&self) -> &str {
        &self.settings.node
    }

    pub fn database(&self) -> u32 {
        self.settings.database
    }

    /// False when TLS is on and `skip_verify` set.
    pub fn is_verified(&self) -> bool {
        self.settings.tls.as_ref().is_none_or(|tls| tls.is_verified())
    }

    /// A key as those of events, and never one of them: to ask whether it could be written.
    pub(super) fn blank_key(&self) -> &str {
        &self.settings.blank_key
    }

    /// Gets the password as for a connection.
    ///
    /// # Errors
    /// `redis.password_command` tells none; in plain words.
    pub async fn check_password(&self) -> Result<(), ConnectError> {
        self.settings.password().await.map(drop)
    }

    /// Connects (TCP and TLS within `connect_timeout`), authenticates, selects the database, names the connection.
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        let settings = &*self.settings;
        let client = settings.tls_client().await;
        let (stream, tls) = match &settings.address {
            Address::Unix(path) => (stream::dial_unix(path, settings.connect_timeout).await?, None),
            Address::Tcp { host, port } => {
                let dialling = stream::dial_tcp((host, *port), &settings.tcp, client.as_deref(), settings.connect_timeout);
                dialling.await?
            }
        };
        // Not before somebody answers: a server that is away costs no run of a command.
        let password = settings.password().await?;
        let mut connection = Connection {
            stream,
            received: BytesMut::with_capacity(2 * READ),
            response_timeout: settings.response_timeout,
            unfinished: false,
            identity: None,
            tls,
        };
        connection.identity = handshake::greet(&mut connection, settings, password.as_ref(), client.as_deref()).await?;
        Ok(connection)
    }
}

fn address_of(node: &Node) -> Address {
    Address::Tcp { host: node.host.clone(), port: node.port }
}

/// An open, authenticated connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    /// Bytes of replies that are not complete.
    received: BytesMut,
    response_timeout: Duration,
    unfinished: bool,
    identity: Option<Identity>,
    tls: Option<TlsSession>,
}

impl Connection {
    /// How the server knows this connection; `None` when its ACL does not tell.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// `None`: plain text.
    pub fn tls(&self) -> Option<&TlsSession> {
        self.tls.as_ref()
    }

    /// Sends one control command and returns its reply.
    pub async fn query(&mut self, command: &Cmd) -> Result<Value, QueryError> {
        let mut replies = Vec::with_capacity(1);
        self.exchange(&command.get_packed_command(), 1, &mut replies).await?;
        match replies.pop().ok_or(Broken::Closed)? {
            Value::ServerError(error) => Err(QueryError::reply(&error)),
            value => Ok(value),
        }
    }

    /// Closes the lost connection `old` on the server, so that nothing it sent can be applied from now on: bytes may still be
    /// on their way. False: the server knows no such connection (any more), or was restarted.
    pub async fn fence(&mut self, old: &Identity) -> Result<bool, QueryError> {
        let run_id = self.identity.as_ref().and_then(|own| own.run_id.as_deref());
        if run_id.zip(old.run_id.as_deref()).is_some_and(|(now, then)| now != then) {
            return Ok(false);
        }
        // Ids start anew with the server; the address keeps an innocent from being killed.
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(old.id).arg("ADDR").arg(&old.addr);
        Ok(self.query(&kill).await? != Value::Int(0))
    }

    /// Writes `packed` and pushes `count` replies to `replies`, error replies as [`Value::ServerError`]. On [`Broken`] the replies
    /// that arrived stay, and the connection must be dropped.
    ///
    /// Reads while it writes, so that neither side waits for the other. Times out after `response_timeout` in which neither a
    /// byte could be written nor a reply arrived.
    pub async fn exchange(&mut self, packed: &[u8], count: usize, replies: &mut Vec<Value>) -> Result<(), Broken> {
        self.exchange_while(&|| true, packed, count, replies).await
    }

    /// [`Connection::exchange`] that writes nothing more once `allowed` is false.
    pub(super) async fn exchange_while(
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
        // More replies than commands, or a reply to a command that was not sent: nobody knows any more what belongs to what.
        if !self.received.is_empty() || !sending.rest.is_empty() {
            return Err(Broken::Malformed);
        }
        self.unfinished = false;
        Ok(())
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, replies: &mut Vec<Value>, wanted: usize) -> Poll<Result<(), Broken>> {
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
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Err(Broken::Closed));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Io(error))),
            }
        }
    }
}

/// What is left to write.
struct Sending<'a> {
    rest: &'a [u8],
    flushed: bool,
    failed: bool,
    /// There was something left to write, and it was no longer allowed.
    withdrawn: bool,
}

impl Sending<'_> {
    /// Writes as much as the socket takes. An error is not reported: a server that hangs up says why first, and that is still to
    /// be read; then reading ends too.
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
                Poll::Ready(flushed) => (self.flushed, self.failed) = (flushed.is_ok(), flushed.is_err()),
            }
        }
    }
}

impl Settings {
    /// Files are read away from the threads that everything else runs on.
    async fn tls_client(&self) -> Option<Arc<TlsClient>> {
        let tls = Arc::clone(self.tls.as_ref()?);
        Some(tokio::task::spawn_blocking(move || tls.current()).await.expect("reading PEM does not panic"))
    }

    async fn password(&self) -> Result<Option<SecretString>, ConnectError> {
        let Some(password) = &self.password else { return Ok(None) };
        password.current().await.map(Some).map_err(|why| hint::password(&self.node, &why))
    }

    /// True once.
    pub(super) fn warns(&self) -> bool {
        !self.warned.swap(true, Relaxed)
    }
}
