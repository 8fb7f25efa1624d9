//! Makes connections to one server: address, TLS, login.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use secrecy::SecretString;

use super::connection::Connection;
use super::handshake::{Greeted, Ungreeted};
use super::live_passwords::LivePasswords;
use super::server_access::ServerAccess;
use super::settings::{ConnectionSettings, ServerRole};
use super::step::Step;
use super::unsupported::UnsupportedByServer;
use super::writable::{Question, Writable};
use super::{handshake, stream};
use crate::config::{Address, Durability, Handshake, Node};
use crate::redis::command::Forms;
use crate::redis::errors::{NamedServer, Trouble, hint};
use crate::redis::loss_epochs::LossEpochs;
use crate::tls::{LiveTls, TlsError};

/// Makes connections to one server. Clones share everything.
#[derive(Clone)]
pub struct Connector {
    server: Arc<ServerAccess>,
}

impl Connector {
    /// To the server at `address`. Reads the PEM files; connects to nothing.
    ///
    /// # Errors
    /// The TLS settings cannot work.
    pub fn new(settings: &ConnectionSettings, address: Address) -> Result<Self, TlsError> {
        if matches!(address, Address::Unix(_)) && settings.tls.is_some() {
            return Err(TlsError::UnixSocket);
        }
        let (node, servers) = (address.to_string(), UnsupportedByServer::default());
        let server = ServerAccess {
            unsupported: servers.of(&node),
            unsupported_by_server: servers,
            handshake: settings.handshake,
            forms: Arc::clone(&settings.forms),
            node,
            names: settings.names,
            address,
            tls: settings.tls.as_ref().map(LiveTls::new).transpose()?.map(Arc::new),
            username: settings.username.clone(),
            passwords: Arc::new(LivePasswords::new(settings)),
            login_of: None,
            database: settings.database,
            client_name: settings.client_name.clone(),
            protocol: settings.protocol,
            id_at: settings.template.start(&settings.prefix).len(),
            blank_key: settings.template.start(&settings.prefix)
                + &settings.template.end(&settings.prefix),
            connect_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
            tcp: settings.tcp.clone(),
            warned: Arc::default(),
            in_cluster: settings.role == ServerRole::ClusterNode,
            primary_only: settings.role == ServerRole::Primary,
            replica: false,
            durability: settings.durability,
            logins: Arc::new(settings.logins.clone()),
            loss_epochs: LossEpochs::default(),
            taken: Arc::default(),
        };
        Ok(Self { server: Arc::new(server) })
    }

    /// A connector to another server, with that node's own login if it has one.
    pub(in crate::redis) fn to(&self, node: &Node) -> Self {
        let (address, name) = (address_of(node), node.to_string());
        let unsupported = self.server.unsupported_by_server.of(&name);
        let mut server =
            ServerAccess { address, node: name, unsupported, ..(*self.server).clone() };
        server.taken = Arc::default();
        server.login_of = Some(node.clone());
        if let Some(login) = self.server.logins.get(node)
            && login.username.is_some()
        {
            server.username.clone_from(&login.username);
        }
        Self { server: Arc::new(server) }
    }

    /// New connections, also those of connectors that were made from this one, use the passwords
    /// and certificates of `settings`. Connections that are open stay.
    pub(in crate::redis) fn reload(&self, settings: &ConnectionSettings) {
        self.server.passwords.replace(settings);
        if let (Some(live), Some(tls)) = (&self.server.tls, &settings.tls) {
            live.replace(tls);
        }
    }

    /// When the first certificate ends, in seconds since 1970; `None`: there is no TLS, or none is
    /// known. Reads the PEM files.
    pub(in crate::redis) fn certificate_end(&self) -> Option<i64> {
        self.server.tls.as_ref()?.first_end()
    }

    /// The server is no longer used: its certificate does not count any more.
    pub(in crate::redis) fn forget_certificate(&self) {
        if let Some(tls) = &self.server.tls {
            tls.note_server_end(&self.server.node, None);
        }
    }

    /// The number of writes that the server has taken.
    pub(in crate::redis) fn taken(&self) -> &AtomicU64 {
        &self.server.taken
    }

    /// A connector to a replica, with that node's own login if it has one.
    pub(in crate::redis) fn to_replica(&self, node: &Node) -> Self {
        let Self { server } = self.to(node);
        Self {
            server: Arc::new(ServerAccess {
                primary_only: false,
                replica: true,
                durability: None,
                ..(*server).clone()
            }),
        }
    }

    /// A connector to another database of the server.
    pub(in crate::redis) fn in_database(&self, database: u32) -> Self {
        Self { server: Arc::new(ServerAccess { database, ..(*self.server).clone() }) }
    }

    /// Whether the server is a node of a cluster: MOVED and ASK are expected.
    pub(in crate::redis) fn in_cluster(&self) -> bool {
        self.server.in_cluster
    }

    pub(in crate::redis) fn is_replica(&self) -> bool {
        self.server.replica
    }

    /// The replicas to wait for after each batch.
    pub(in crate::redis) fn durability(&self) -> Option<Durability> {
        self.server.durability
    }

    /// Shared with clones, and with connectors that were made from this one.
    pub(in crate::redis) fn loss_epochs(&self) -> &LossEpochs {
        &self.server.loss_epochs
    }

    /// The server as messages call it.
    pub(in crate::redis) fn named(&self) -> NamedServer<'_> {
        self.server.named()
    }

    /// `host:port`, or the socket's path.
    pub fn node(&self) -> &str {
        &self.server.node
    }

    pub fn database(&self) -> u32 {
        self.server.database
    }

    /// False when TLS is on and `skip_verify` set.
    pub fn is_verified(&self) -> bool {
        self.server.tls.as_ref().is_none_or(|tls| tls.is_verified())
    }

    /// A key like those of events, to which no event is written: for asking whether it could be.
    pub(in crate::redis) fn blank_key(&self) -> &str {
        &self.server.blank_key
    }

    /// The key of `id`, if events have the prefix of the configuration.
    pub(in crate::redis) fn key_of(&self, id: &str) -> String {
        let (start, end) = self.server.blank_key.split_at(self.server.id_at);
        format!("{start}{id}{end}")
    }

    /// What is written.
    pub(in crate::redis) fn forms(&self) -> &Arc<Forms> {
        &self.server.forms
    }

    /// Whether a server that hangs up on a command is tried without it.
    pub(in crate::redis) fn adapts(&self) -> bool {
        self.server.handshake == Handshake::Auto
    }

    /// Whether the server is sent nothing but the login and writes.
    pub(in crate::redis) fn asks_nothing(&self) -> bool {
        self.server.handshake == Handshake::Minimal
    }

    /// How to ask whether writes are taken.
    pub(in crate::redis) fn question(&self) -> Question {
        let omits = |step| self.adapts() && self.server.unsupported.omits(step);
        match () {
            () if self.asks_nothing() || omits(Step::Multi) && omits(Step::Ping) => {
                Question::Connection
            }
            () if omits(Step::Multi) => Question::Ping,
            () => Question::Transaction,
        }
    }

    /// Notes the answer to `question`, so that the server is not asked again in a way that it does
    /// not understand.
    pub(in crate::redis) fn asked(&self, question: Question, answer: Writable) {
        let unknown = match (question, answer) {
            _ if !self.adapts() => &[][..],
            (
                Question::Transaction,
                Writable::Yes | Writable::OtherKeys | Writable::Unknown { forbidden: true },
            ) => &[],
            (Question::Transaction | Question::Ping, _) => &[Step::Multi],
            (Question::Connection, _) => &[Step::Multi, Step::Ping],
        };
        self.server.unsupported.learn(unknown.iter().copied());
    }

    /// Connects (TCP and TLS within `connect_timeout`), authenticates, selects the database, names
    /// the connection.
    ///
    /// When the server hangs up meanwhile, the commands are sent again at once, one by one, to find
    /// those that it does not take, unless `redis.handshake` says otherwise. New connections leave
    /// them out from then on.
    pub async fn connect(&self) -> Result<Connection, Trouble> {
        let unsupported = &self.server.unsupported;
        let mut known =
            if self.adapts() { unsupported.at_connect(Instant::now()) } else { BTreeSet::new() };
        let mut omitted = known.clone();
        let (mut one_by_one, mut is_first, mut first) = (false, true, None);
        let mut password = None;
        loop {
            let (connection, greeted) = self.greet(&mut password, &omitted, one_by_one).await?;
            match greeted {
                Ok(greeted) if !self.adapts() => {
                    return self.identified(connection, greeted);
                }
                Ok(greeted) => {
                    if std::mem::take(&mut is_first)
                        && unsupported.is_another(greeted.run_id.as_deref())
                    {
                        (known, omitted) = (BTreeSet::new(), BTreeSet::new());
                        continue;
                    }
                    if omitted.len() > known.len() {
                        // The network may have broken the connections before. A server that hangs
                        // up on all commands again, right after this, does so because of them.
                        match self.greet(&mut password, &known, false).await {
                            Ok((_, Err(Ungreeted::HungUp(..)))) => unsupported.learn(omitted),
                            Ok((whole, Ok(all))) => {
                                return self.identified(whole, all);
                            }
                            _ => {}
                        }
                    }
                    unsupported.learn(greeted.refused.iter().copied());
                    return self.identified(connection, greeted);
                }
                Err(Ungreeted::HungUp(error, unknown)) if self.adapts() => {
                    let error = first.get_or_insert(error);
                    if one_by_one && unknown.is_empty() {
                        return Err(error.clone());
                    }
                    one_by_one = true;
                    omitted.extend(unknown);
                }
                Err(Ungreeted::HungUp(error, _) | Ungreeted::Failed(error)) => return Err(error),
                Err(Ungreeted::NothingToSay) => {
                    return Err(first.unwrap_or_else(|| hint::nothing_to_say(self.named())));
                }
            }
        }
    }

    /// The connection with what the greeting told.
    ///
    /// # Errors
    /// The server does not know commands that the configured writes need.
    fn identified(&self, connection: Connection, greeted: Greeted) -> Result<Connection, Trouble> {
        let needs = self.server.forms.needs().find(|need| match greeted.version {
            Some(version) => !version.is_at_least(need.redis, need.valkey),
            None => self.asks_nothing(),
        });
        match needs {
            Some(need) => Err(hint::too_old(self.named(), need, greeted.version)),
            None => Ok(connection.identified(greeted.identity, greeted.run_id)),
        }
    }

    /// A new connection, and the result of its greeting.
    async fn greet(
        &self,
        password: &mut Option<SecretString>,
        omitted: &BTreeSet<Step>,
        one_by_one: bool,
    ) -> Result<(Connection, Result<Greeted, Ungreeted>), Trouble> {
        let server = &*self.server;
        let client = server.tls_client().await;
        let (stream, tls) = match &server.address {
            Address::Unix(path) => {
                (stream::dial_unix(path, server.named(), server.connect_timeout).await?, None)
            }
            Address::Tcp { host, port } => {
                let dialling = stream::dial_tcp(
                    (host, *port),
                    server.named(),
                    &server.tcp,
                    client.as_deref(),
                    server.connect_timeout,
                );
                dialling.await?
            }
        };
        if let (Some(live), Some(session)) = (&server.tls, &tls) {
            live.note_server_end(&server.node, session.ends);
        }
        // Only once the server answers: while it is away, no password command is run.
        if password.is_none() {
            *password = server.password().await?;
        }
        let mut connection = Connection::new(stream, tls, server.names, server.response_timeout);
        let greeting = handshake::greet(
            &mut connection,
            server,
            password.as_ref(),
            client.as_deref(),
            omitted,
            one_by_one,
        )
        .await;
        Ok((connection, greeting))
    }
}

/// The address at which `node` is reached.
pub(in crate::redis) fn address_of(node: &Node) -> Address {
    Address::Tcp { host: node.host.clone(), port: node.port }
}
