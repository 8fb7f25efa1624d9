//! The part that all lanes share: the sentinels, and the master that they name.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch::{Receiver, Sender};
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::candidates::Candidates;
use super::connection::SentinelConnection;
use super::reply::SentinelReply;
use super::state::{MasterChange, MasterState, SentinelNews};
use crate::config::{self, NatMap, Node, Protocol};
use crate::redis::errors::ServerNames;
use crate::redis::route::survey::Servers;
use crate::redis::wire::{ServerRole, address_of};
use crate::redis::{ConnectionSettings, Connector, Trouble};
use crate::tls::TlsError;

/// Sentinels have keys and commands of their own.
const SENTINEL: ServerNames = ServerNames {
    kind: "sentinel ",
    section: "redis.sentinel",
    permissions: "; a sentinel's user needs +sentinel|master +sentinel|get-master-addr-by-name \
        +subscribe and allchannels, and +sentinel|replicas with redis.read_from_replicas",
};

/// The time that the other sentinels have once one has replied.
const LATE_REPLIES: Duration = Duration::from_millis(300);

/// The sentinels, and what is known of the master.
pub struct Sentinel {
    pub(super) name: String,
    pub(super) sentinels: Vec<Arc<SentinelConnection>>,
    nat_map: NatMap,
    /// A connector to the first sentinel's host, of which those to masters are made.
    /// For what the connectors to all sentinels share.
    asked: Connector,
    masters: Connector,
    state: Sender<MasterState>,
    /// The lane that asks holds this lock.
    asking: Mutex<()>,
    /// The tasks that listen to the sentinels, once they have begun.
    pub(super) watching: OnceLock<Vec<AbortOnDropHandle<()>>>,
}

/// The settings of connections to sentinels.
fn asked(settings: &ConnectionSettings, sentinel: &config::Sentinel) -> ConnectionSettings {
    ConnectionSettings {
        username: sentinel.login.username.clone(),
        password: sentinel.login.password.clone(),
        logins: sentinel.logins.clone(),
        database: 0,
        // In RESP3, published messages are of another type.
        protocol: Protocol::Resp2,
        tls: sentinel.tls.clone(),
        names: SENTINEL,
        ..settings.clone()
    }
}

impl Sentinel {
    /// Reads the PEM files; connects to nothing.
    pub(in crate::redis::route) fn new(
        settings: ConnectionSettings,
        sentinel: &config::Sentinel,
    ) -> Result<Self, TlsError> {
        let first = address_of(&sentinel.nodes[0]);
        let asked = Connector::new(&asked(&settings, sentinel), first.clone())?;
        let masters = settings.with_role(ServerRole::Primary);
        let connection = |node| Arc::new(SentinelConnection::new(asked.to(node)));
        Ok(Self {
            name: sentinel.master.clone(),
            sentinels: sentinel.nodes.iter().map(connection).collect(),
            asked,
            nat_map: sentinel.nat_map.clone(),
            masters: Connector::new(&masters, first)?,
            state: Sender::default(),
            asking: Mutex::default(),
            watching: OnceLock::new(),
        })
    }

    /// A connector, for what those to all masters share.
    pub(in crate::redis::route) fn base(&self) -> &Connector {
        &self.masters
    }

    /// New connections to masters and sentinels use these passwords and certificates.
    pub(in crate::redis::route) fn reload(
        &self,
        settings: &ConnectionSettings,
        sentinel: &config::Sentinel,
    ) {
        self.masters.reload(settings);
        self.asked.reload(&asked(settings, sentinel));
    }

    /// When the first certificate ends, of masters and sentinels.
    pub(in crate::redis::route) fn certificate_end(&self) -> Option<i64> {
        [&self.masters, &self.asked].into_iter().filter_map(Connector::certificate_end).min()
    }

    /// A connector to the master at `node`.
    pub(super) fn connector(&self, node: &Node) -> Connector {
        self.masters.to(node)
    }

    /// Where a node that the sentinels name is reached from here.
    pub(super) fn reached(&self, node: Node) -> Node {
        self.nat_map.reached(node)
    }

    pub(super) fn state(&self) -> Receiver<MasterState> {
        self.state.subscribe()
    }

    /// Applies `event` to the state, and says what it changed. Returns the state.
    pub(super) fn apply(&self, event: SentinelNews) -> MasterState {
        let (mut change, mut after) = (MasterChange::Nothing, MasterState::default());
        self.state.send_if_modified(|state| {
            change = state.apply(event);
            after = state.clone();
            change != MasterChange::Nothing
        });
        match (change, after.master()) {
            (MasterChange::OtherMaster { old }, Some(master)) => {
                tracing::info!(name = self.name, %master, "the sentinels name the master");
                if let Some(old) = old {
                    let reason = format_args!("{master} is the master instead of {old}");
                    self.masters.loss_epochs().note(reason);
                }
            }
            (MasterChange::FailoverBegins, _) => tracing::info!(
                name = self.name,
                "a failover begins: nothing is written until there is another master"
            ),
            _ => {}
        }
        after
    }

    /// The master, by a confirmation newer than the version `seen`.
    pub(super) async fn find(&self, seen: u64) -> Result<MasterState, Trouble> {
        let _asking = self.asking.lock().await;
        let mut state = self.state.subscribe();
        tokio::select! {
            biased;
            Ok(newer) = state.wait_for(|state| state.version() > seen) => Ok(newer.clone()),
            found = self.ask_all() => found,
        }
    }

    /// A connector to the master that is known, or that the sentinels name now.
    pub(in crate::redis::route) async fn master(&self) -> Result<Connector, Trouble> {
        let state = self.find(0).await?;
        Ok(self.connector(state.master().expect("a confirmation names a master")))
    }

    /// Asks all sentinels, and has the server that they name confirm that it takes writes.
    async fn ask_all(&self) -> Result<MasterState, Trouble> {
        let mut trouble = None;
        let asked = self.state.borrow().version();
        let replies =
            self.replies(LATE_REPLIES).await.into_iter().filter_map(|(_, reply)| match reply {
                Ok(reply) => Some(reply),
                Err(error) => {
                    trouble.get_or_insert(error);
                    None
                }
            });
        for Candidates { epoch, nodes } in self.candidates(replies.collect()) {
            let mut all_are_replicas = true;
            for master in nodes {
                match self.connector(&master).connect().await {
                    Ok(_takes_writes) => {
                        let now = Instant::now();
                        return Ok(self.apply(SentinelNews::Confirmed {
                            master,
                            epoch,
                            asked,
                            now,
                        }));
                    }
                    Err(error) => {
                        all_are_replicas &= error.is_replica();
                        trouble = Some(error);
                    }
                }
            }
            // An older epoch counts only when all that a newer one names are replicas.
            if !all_are_replicas {
                break;
            }
        }
        Err(trouble.unwrap_or_else(|| {
            Trouble::rediscover("too few sentinels answer, and what they say is out of date")
        }))
    }

    /// Asks all sentinels; when they no longer name the known master, has the next one confirmed.
    pub(super) async fn look(&self) {
        let replies = self.replies(LATE_REPLIES).await;
        let replies = replies.into_iter().filter_map(|(_, reply)| reply.ok()).collect();
        let newest = self.candidates(replies).into_iter().next();
        let known = self.state.borrow().master().cloned();
        if newest.is_some_and(|newest| newest.nodes.first() != known.as_ref()) {
            // Lanes report what is wrong when they need the master.
            let _nobody_knows = self.ask_all().await;
        }
    }

    fn candidates(&self, replies: Vec<SentinelReply>) -> Vec<Candidates> {
        self.state.borrow().candidates(replies, self.sentinels.len(), Instant::now())
    }

    /// The reply of each sentinel, with the address that is reached from here. Once one has
    /// replied, the others have as long as `late` says.
    async fn replies(&self, late: Duration) -> Vec<(&Connector, Result<SentinelReply, Trouble>)> {
        let first = Notify::new();
        let asked = self.sentinels.iter().map(async |sentinel| {
            let connector = &sentinel.connector;
            let too_late = async {
                first.notified().await;
                tokio::time::sleep(late).await;
            };
            let reply = tokio::select! {
                reply = sentinel.master(&self.name) => reply,
                () = too_late => {
                    Err(Trouble::rediscover(format!("{}: no answer in time", connector.node())))
                }
            };
            if reply.is_ok() {
                first.notify_waiters();
            }
            let reached =
                |reply: SentinelReply| SentinelReply { node: self.reached(reply.node), ..reply };
            (connector, reply.map(reached))
        });
        join_all(asked).await
    }

    /// The master, with what each sentinel says of it; with `all` the replicas that the first
    /// sentinel knows. Or all that is wrong.
    pub(in crate::redis::route) async fn servers(&self, all: bool) -> Result<Servers, Vec<String>> {
        let (mut details, mut missing) = (Vec::new(), Vec::new());
        for (connector, reply) in self.replies(Duration::MAX).await {
            match reply {
                Ok(SentinelReply { node, epoch }) => {
                    let (sentinel, name) = (connector.node(), &self.name);
                    let says = format!("{sentinel} says {node} is {name:?} (epoch {epoch})");
                    details.push(("sentinel", says));
                }
                Err(trouble) => missing.push(trouble.message),
            }
        }
        let master = match self.find(0).await {
            Ok(state) if missing.is_empty() => {
                self.connector(state.master().expect("a confirmation names a master"))
            }
            Ok(_) => return Err(missing),
            Err(trouble) => {
                if !missing.contains(&trouble.message) {
                    missing.push(trouble.message);
                }
                return Err(missing);
            }
        };
        let replicas = if all { self.replicas().await? } else { Vec::new() };
        Ok(Servers { primaries: vec![(master, details)], replicas, missing })
    }

    async fn replicas(&self) -> Result<Vec<Connector>, Vec<String>> {
        let nodes = self.sentinels[0].replicas(&self.name).await;
        let nodes = nodes.map_err(|trouble| vec![trouble.message])?;
        Ok(nodes.into_iter().map(|node| self.masters.to_replica(&self.reached(node))).collect())
    }
}
