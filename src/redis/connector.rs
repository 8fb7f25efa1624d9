//! How connections to one server are made: address, TLS, login.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::connection::{ConnectError, Connection};
use super::dialect::{Dialect, Dialects};
use super::handshake::{Greeted, Step, Ungreeted};
use super::password::LivePassword;
use super::switches::Switches;
use super::writable::{Question, Writable};
use super::{handshake, hint, stream};
use crate::config::{Address, Durability, Handshake, Login, Mode, Node, Protocol, Redis, Tcp};
use crate::tls::{LiveTls, TlsClient, TlsError};

/// Makes connections to one server. Clones share everything.
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
    pub(super) protocol: Protocol,
    /// No event is written to it: its user id is blank.
    pub(super) blank_key: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    tcp: Tcp,
    /// A restricted ACL is told once, not at every reconnect.
    pub(super) warned: Arc<AtomicBool>,
    in_cluster: bool,
    /// A server that is a replica is the wrong one.
    pub(super) primary_only: bool,
    /// It is not meant to take writes.
    replica: bool,
    durability: Option<Durability>,
    /// Logins of single nodes.
    logins: Arc<BTreeMap<Node, Login>>,
    switches: Switches,
    /// Writes that the server has taken.
    taken: Arc<AtomicU64>,
    pub(super) handshake: Handshake,
    /// The commands that this server does not take.
    dialect: Arc<Dialect>,
    /// The commands that each server does not take.
    dialects: Dialects,
}

impl Connector {
    /// To the server at `address`, with all that `redis` says of servers that take writes. Reads
    /// the PEM files.
    pub fn new(redis: &Redis, address: Address) -> Result<Self, TlsError> {
        if matches!(address, Address::Unix(_)) && redis.tls.is_some() {
            return Err(TlsError::UnixSocket);
        }
        let prefix =
            if redis.prefix.is_empty() { String::new() } else { format!("{}:", redis.prefix) };
        let (node, dialects) = (address.to_string(), Dialects::default());
        let settings = Settings {
            dialect: dialects.of(&node),
            dialects,
            handshake: redis.handshake,
            node,
            address,
            tls: redis.tls.as_ref().map(LiveTls::new).transpose()?.map(Arc::new),
            username: redis.username.clone(),
            password: redis.password.as_ref().map(LivePassword::new).map(Arc::new),
            database: redis.database,
            client_name: redis.client_name.clone(),
            protocol: redis.protocol,
            blank_key: format!("{prefix}user:"),
            connect_timeout: redis.connect_timeout,
            response_timeout: redis.response_timeout,
            tcp: redis.tcp.clone(),
            warned: Arc::default(),
            in_cluster: matches!(redis.mode, Mode::Cluster(_)),
            primary_only: matches!(redis.mode, Mode::Sentinel(_) | Mode::PrimaryReplicas(_)),
            replica: false,
            durability: redis.durability,
            logins: Arc::new(redis.logins.clone()),
            switches: Switches::default(),
            taken: Arc::default(),
        };
        Ok(Self { settings: Arc::new(settings) })
    }

    /// The same for another server, with that node's own login if it has one.
    pub(super) fn to(&self, node: &Node) -> Self {
        let (address, name) = (address_of(node), node.to_string());
        let dialect = self.settings.dialects.of(&name);
        let mut settings = Settings { address, node: name, dialect, ..(*self.settings).clone() };
        settings.taken = Arc::default();
        if let Some(login) = self.settings.logins.get(node) {
            if login.username.is_some() {
                settings.username.clone_from(&login.username);
            }
            if let Some(password) = &login.password {
                settings.password = Some(Arc::new(LivePassword::new(password)));
            }
        }
        Self { settings: Arc::new(settings) }
    }

    /// Counts the writes that the server has taken.
    pub(super) fn taken(&self) -> &AtomicU64 {
        &self.settings.taken
    }

    /// The same, for servers that need not be primaries.
    pub(super) fn for_any_role(&self) -> Self {
        Self { settings: Arc::new(Settings { primary_only: false, ..(*self.settings).clone() }) }
    }

    /// The same for a replica, with that node's own login if it has one.
    pub(super) fn to_replica(&self, node: &Node) -> Self {
        let Self { settings } = self.to(node);
        Self {
            settings: Arc::new(Settings {
                primary_only: false,
                replica: true,
                durability: None,
                ..(*settings).clone()
            }),
        }
    }

    /// The same for another database of the server.
    pub(super) fn in_database(&self, database: u32) -> Self {
        Self { settings: Arc::new(Settings { database, ..(*self.settings).clone() }) }
    }

    /// Whether MOVED and ASK are answers to live with.
    pub(super) fn in_cluster(&self) -> bool {
        self.settings.in_cluster
    }

    pub(super) fn is_replica(&self) -> bool {
        self.settings.replica
    }

    /// What is to be waited for after each batch.
    pub(super) fn durability(&self) -> Option<Durability> {
        self.settings.durability
    }

    /// Shared with clones, and with connectors to other nodes that were made of this one.
    pub(super) fn switches(&self) -> &Switches {
        &self.settings.switches
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

    /// Whether a server that hangs up on a command is tried without it.
    pub(super) fn adapts(&self) -> bool {
        self.settings.handshake == Handshake::Auto
    }

    /// Whether nothing is asked of the server.
    pub(super) fn asks_nothing(&self) -> bool {
        self.settings.handshake == Handshake::Minimal
    }

    /// How to ask whether writes are taken.
    pub(super) fn question(&self) -> Question {
        let omits = |step| self.adapts() && self.settings.dialect.omits(step);
        match () {
            () if self.asks_nothing() || omits(Step::Multi) && omits(Step::Ping) => {
                Question::Connection
            }
            () if omits(Step::Multi) => Question::Ping,
            () => Question::Transaction,
        }
    }

    /// Notes what came of `question`, so that no more than what is understood is asked from now on.
    pub(super) fn asked(&self, question: Question, answer: Writable) {
        let unknown = match (question, answer) {
            _ if !self.adapts() => &[][..],
            (
                Question::Transaction,
                Writable::Yes | Writable::OtherKeys | Writable::Unknown { forbidden: true },
            ) => &[],
            (Question::Transaction | Question::Ping, _) => &[Step::Multi],
            (Question::Connection, _) => &[Step::Multi, Step::Ping],
        };
        self.settings.dialect.learn(unknown.iter().copied());
    }

    /// Connects (TCP and TLS within `connect_timeout`), authenticates, selects the database, names
    /// the connection.
    ///
    /// A server that hangs up meanwhile is greeted again at once, command by command, to find those
    /// that it does not take; unless `redis.handshake` says otherwise. What is found is left out
    /// from then on.
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        let dialect = &self.settings.dialect;
        let mut known =
            if self.adapts() { dialect.at_connect(Instant::now()) } else { BTreeSet::new() };
        let mut omitted = known.clone();
        let (mut one_by_one, mut is_first, mut first) = (false, true, None);
        let mut password = None;
        loop {
            let (connection, greeted) = self.greet(&mut password, &omitted, one_by_one).await?;
            match greeted {
                Ok(greeted) if !self.adapts() => return Ok(connection.identified(greeted)),
                Ok(greeted) => {
                    if std::mem::take(&mut is_first)
                        && dialect.is_another(greeted.run_id.as_deref())
                    {
                        (known, omitted) = (BTreeSet::new(), BTreeSet::new());
                        continue;
                    }
                    if omitted.len() > known.len() {
                        // The network may have broken the others. Who hangs up on all of it again,
                        // right after this, means it.
                        match self.greet(&mut password, &known, false).await {
                            Ok((_, Err(Ungreeted::HungUp(..)))) => dialect.learn(omitted),
                            Ok((whole, Ok(all))) => return Ok(whole.identified(all)),
                            _ => {}
                        }
                    }
                    dialect.learn(greeted.refused.iter().copied());
                    return Ok(connection.identified(greeted));
                }
                Err(Ungreeted::HungUp(error, suspects)) if self.adapts() => {
                    let error = first.get_or_insert(error);
                    if one_by_one && suspects.is_empty() {
                        return Err(error.clone());
                    }
                    one_by_one = true;
                    omitted.extend(suspects);
                }
                Err(Ungreeted::HungUp(error, _) | Ungreeted::Failed(error)) => return Err(error),
                Err(Ungreeted::NothingToSay) => {
                    return Err(first.unwrap_or_else(|| hint::nothing_to_say(self.node())));
                }
            }
        }
    }

    /// A new connection, and what its greeting came to.
    async fn greet(
        &self,
        password: &mut Option<SecretString>,
        omitted: &BTreeSet<Step>,
        one_by_one: bool,
    ) -> Result<(Connection, Result<Greeted, Ungreeted>), ConnectError> {
        let settings = &*self.settings;
        let client = settings.tls_client().await;
        let (stream, tls) = match &settings.address {
            Address::Unix(path) => (stream::dial_unix(path, settings.connect_timeout).await?, None),
            Address::Tcp { host, port } => {
                let dialling = stream::dial_tcp(
                    (host, *port),
                    &settings.node,
                    &settings.tcp,
                    client.as_deref(),
                    settings.connect_timeout,
                );
                dialling.await?
            }
        };
        // Not before somebody answers: a server that is away costs no run of a command.
        if password.is_none() {
            *password = settings.password().await?;
        }
        let mut connection = Connection::new(stream, tls, settings.response_timeout);
        let greeting = handshake::greet(
            &mut connection,
            settings,
            password.as_ref(),
            client.as_deref(),
            omitted,
            one_by_one,
        )
        .await;
        Ok((connection, greeting))
    }
}

impl Settings {
    /// Files are read away from the threads that everything else runs on.
    async fn tls_client(&self) -> Option<Arc<TlsClient>> {
        let tls = Arc::clone(self.tls.as_ref()?);
        Some(
            tokio::task::spawn_blocking(move || tls.current())
                .await
                .expect("reading PEM does not panic"),
        )
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

/// Where `node` is reached.
pub(super) fn address_of(node: &Node) -> Address {
    Address::Tcp { host: node.host.clone(), port: node.port }
}
