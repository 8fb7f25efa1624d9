//! Redis Sentinel: which server is the master now.
//!
//! What the sentinels say is shared by all lanes ([`Sentinel`]); each lane has its own connections
//! ([`SentinelStore`]). It is asked for every second and whenever a connection fails; what
//! sentinels publish ([`watch`]) makes it sooner.

mod answer;
mod store;
mod watch;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch::{Receiver, Sender};
use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use self::answer::{Answer, Candidates, candidates};
pub(super) use self::store::SentinelStore;
use super::errors::ServerNames;
use super::wire::{ServerRole, address_of};
use super::{Connection, ConnectionSettings, Connector, Trouble};
use crate::config::{self, NatMap, Node, Protocol};
use crate::metrics::Metrics;
use crate::tls::TlsError;

/// Sentinels have keys of their own, and commands.
const SENTINEL: ServerNames = ServerNames {
    kind: "sentinel ",
    section: "redis.sentinel",
    permissions: "; a sentinel's user needs +sentinel|master +sentinel|get-master-addr-by-name \
        +subscribe and allchannels, and +sentinel|replicas with redis.read_from_replicas",
};

/// How long the other sentinels have once one has answered.
const LATECOMERS: Duration = Duration::from_millis(300);
/// How long nothing is written to a master that sentinels are about to replace, if they do not
/// finish.
const HANDOVER_MAX: Duration = Duration::from_secs(10);

/// What is known of the master, and who is asked.
pub(super) struct Sentinel {
    name: String,
    witnesses: Vec<Arc<Witness>>,
    nat_map: NatMap,
    /// To the first sentinel's host; masters are made of it.
    masters: Connector,
    told: Sender<Told>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
    watching: OnceLock<Vec<AbortOnDropHandle<()>>>,
}

/// One sentinel.
struct Witness {
    connector: Connector,
    /// Kept from question to question.
    connection: Arc<tokio::sync::Mutex<Option<Connection>>>,
}

/// What the sentinels say.
#[derive(Debug, Clone, Default)]
struct Told {
    master: Option<Node>,
    /// Of the failover that made it the master.
    epoch: u64,
    /// Counts the answers.
    version: u64,
    /// A replica is about to become the master: what is written to the old one until then would be
    /// lost.
    handover: Option<Instant>,
}

impl Told {
    fn in_handover(&self) -> bool {
        self.handover.is_some_and(|until| Instant::now() < until)
    }

    fn takes_writes(&self, node: &Node) -> bool {
        !self.in_handover() && self.master.as_ref() == Some(node)
    }
}

impl Sentinel {
    /// Reads the PEM files; connects to nothing.
    pub(super) fn new(
        redis: &config::Redis,
        sentinel: &config::Sentinel,
    ) -> Result<Self, TlsError> {
        let masters = ConnectionSettings::of(redis).with_role(ServerRole::Primary);
        let asked = ConnectionSettings {
            username: sentinel.login.username.clone(),
            password: sentinel.login.password.clone(),
            logins: sentinel.logins.clone(),
            database: 0,
            // What they publish would come as another type.
            protocol: Protocol::Resp2,
            tls: sentinel.tls.clone(),
            role: ServerRole::Any,
            names: SENTINEL,
            ..masters.clone()
        };
        let first = address_of(&sentinel.nodes[0]);
        let connector = Connector::new(&asked, first.clone())?;
        let witness =
            |node| Arc::new(Witness { connector: connector.to(node), connection: Arc::default() });
        Ok(Self {
            name: sentinel.master.clone(),
            witnesses: sentinel.nodes.iter().map(witness).collect(),
            nat_map: sentinel.nat_map.clone(),
            masters: Connector::new(&masters, first)?,
            told: Sender::default(),
            asking: tokio::sync::Mutex::default(),
            watching: OnceLock::new(),
        })
    }

    /// What all masters share.
    pub(super) fn base(&self) -> &Connector {
        &self.masters
    }

    pub(super) fn connector(&self, node: &Node) -> Connector {
        self.masters.to(node)
    }

    /// Begins to listen to the sentinels, once.
    fn watch(self: &Arc<Self>, metrics: &Arc<Metrics>) -> Receiver<Told> {
        self.watching.get_or_init(|| watch::begin(self, metrics));
        self.told.subscribe()
    }

    /// The master, by an answer newer than `seen`.
    async fn find(&self, seen: u64) -> Result<Told, Trouble> {
        let _asking = self.asking.lock().await;
        let mut told = self.told.subscribe();
        tokio::select! {
            biased;
            Ok(newer) = told.wait_for(|told| told.version > seen) => Ok(newer.clone()),
            found = self.ask_all() => found,
        }
    }

    /// Asks all sentinels, and has the server that they name confirm that it takes writes.
    async fn ask_all(&self) -> Result<Told, Trouble> {
        let mut trouble = None;
        let answers =
            self.answers(LATECOMERS).await.into_iter().filter_map(|(_, answer)| match answer {
                Ok(answer) => Some(answer),
                Err(error) => {
                    trouble.get_or_insert(error);
                    None
                }
            });
        let answers = self.credible(answers.collect());
        for Candidates { epoch, nodes } in candidates(answers) {
            let mut all_are_replicas = true;
            for node in nodes {
                match self.connector(&node).connect().await {
                    Ok(_confirmed) => return Ok(self.tell(node, epoch)),
                    Err(error) => {
                        all_are_replicas &= error.is_replica();
                        trouble = Some(error);
                    }
                }
            }
            // What sentinels said before they agreed on another is believed only when the later is
            // no master.
            if !all_are_replicas {
                break;
            }
        }
        Err(trouble.unwrap_or_else(|| {
            Trouble::rediscover("too few sentinels answer, and what they say is out of date")
        }))
    }

    /// Asks all sentinels; when they no longer name the known master, has the next one confirmed.
    async fn look(&self) {
        let answers = self
            .answers(LATECOMERS)
            .await
            .into_iter()
            .filter_map(|(_, answer)| answer.ok())
            .collect();
        let newest = candidates(self.credible(answers)).into_iter().next();
        let known = self.told.borrow().master.clone();
        if newest.is_some_and(|newest| newest.nodes.first() != known.as_ref()) {
            // Lanes tell what is wrong when they need the master.
            let _nobody_knows = self.ask_all().await;
        }
    }

    /// Without what is older than what is known: a few sentinels that are cut off would lead back
    /// to an old master. Where most answer, they decide, for epochs begin anew with sentinels that
    /// are set up anew.
    fn credible(&self, mut answers: Vec<Answer>) -> Vec<Answer> {
        if answers.len() * 2 <= self.witnesses.len() {
            let known = self.told.borrow().epoch;
            answers.retain(|answer| answer.epoch >= known);
        }
        answers
    }

    fn tell(&self, master: Node, epoch: u64) -> Told {
        let mut before = None;
        self.told.send_modify(|told| {
            if told.master.as_ref() != Some(&master) {
                tracing::info!(name = self.name, %master, "the sentinels name the master");
                told.handover = None;
            }
            before = told.master.replace(master.clone());
            told.epoch = epoch;
            told.version += 1;
        });
        if let Some(old) = before.filter(|old| *old != master) {
            self.masters
                .loss_epochs()
                .note(format_args!("{master} is the master instead of {old}"));
        }
        self.told.borrow().clone()
    }

    /// What each sentinel says, with the addresses that are reached from here. Once one has
    /// answered, the others have as long as `late` says.
    async fn answers(&self, late: Duration) -> Vec<(&Connector, Result<Answer, Trouble>)> {
        let first = Notify::new();
        let asked = self.witnesses.iter().map(async |witness| {
            let too_late = async {
                first.notified().await;
                tokio::time::sleep(late).await;
            };
            let answer = tokio::select! {
                answer = witness.ask(&self.name) => answer,
                () = too_late => Err(Trouble::rediscover(format!("{}: no answer in \
                    time", witness.connector.node()))),
            };
            if answer.is_ok() {
                first.notify_waiters();
            }
            (
                &witness.connector,
                answer.map(|answer| Answer { node: self.nat_map.reached(answer.node), ..answer }),
            )
        });
        join_all(asked).await
    }

    /// The master, and the lines that tell what each sentinel says; or all that is wrong.
    pub(super) async fn survey(&self) -> Result<(Node, Vec<String>), Vec<String>> {
        let (mut lines, mut missing) = (Vec::new(), Vec::new());
        for (connector, answer) in self.answers(Duration::MAX).await {
            match answer {
                Ok(Answer { node, epoch }) => {
                    lines.push(format!(
                        "{} says {node} is {:?} (epoch {epoch})",
                        connector.node(),
                        self.name
                    ));
                }
                Err(trouble) => missing.push(trouble.message),
            }
        }
        match self.find(0).await {
            Ok(Told { master: Some(master), .. }) if missing.is_empty() => {
                return Ok((master, lines));
            }
            Ok(_) => {}
            Err(trouble) if missing.contains(&trouble.message) => {}
            Err(trouble) => missing.push(trouble.message),
        }
        Err(missing)
    }

    /// Those that the first sentinel knows.
    pub(super) async fn replicas(&self) -> Result<Vec<Connector>, Trouble> {
        let nodes = self.witnesses[0].replicas(&self.name).await?;
        Ok(nodes
            .into_iter()
            .map(|node| self.masters.to_replica(&self.nat_map.reached(node)))
            .collect())
    }
}

impl Witness {
    /// Goes on when nobody waits for the answer any more: then the connection is there for the next
    /// question.
    async fn ask(self: &Arc<Self>, name: &str) -> Result<Answer, Trouble> {
        let kept = Arc::clone(&self.connection).lock_owned().await;
        let (witness, name) = (Arc::clone(self), name.to_owned());
        let asking = tokio::spawn(async move {
            let ask = async |connection: &mut Connection| {
                answer::ask(connection, witness.connector.node(), &name).await
            };
            witness.with_connection(kept, ask).await
        });
        // It does not panic, but ends with the runtime.
        asking.await.unwrap_or_else(|ended| Err(Trouble::rediscover(ended.to_string())))
    }

    async fn replicas(&self, name: &str) -> Result<Vec<Node>, Trouble> {
        let kept = Arc::clone(&self.connection).lock_owned().await;
        self.with_connection(kept, async |connection| {
            answer::replicas(connection, self.connector.node(), name).await
        })
        .await
    }

    async fn with_connection<T>(
        &self,
        mut kept: OwnedMutexGuard<Option<Connection>>,
        ask: impl AsyncFnOnce(&mut Connection) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connector.connect().await?,
        };
        let answer = ask(&mut connection).await?;
        *kept = Some(connection);
        Ok(answer)
    }
}
