//! Redis Sentinel: which server is the master now.
//!
//! What the sentinels say is shared by all lanes ([`Sentinel`]); each lane has its own connections ([`SentinelStore`]). It is asked
//! for every second and whenever a connection fails; what sentinels publish ([`watch`]) makes it sooner.

mod answer;
mod store;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::sync::watch::{Receiver, Sender};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use self::answer::{Answer, candidates};
pub(super) use self::store::SentinelStore;
use super::connector::address_of;
use super::{Class, Connection, Connector, Trouble};
use crate::config::{self, Node, Protocol};
use crate::metrics::Metrics;
use crate::tls::TlsError;

/// How long the other sentinels have once one has answered.
const LATECOMERS: Duration = Duration::from_millis(300);
/// For a server that is said to be the master to say so itself.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(2);
/// How long nothing is written to a master that sentinels are about to replace, if they do not finish.
const HANDOVER_MAX: Duration = Duration::from_secs(10);

/// What is known of the master, and who is asked.
pub(super) struct Sentinel {
    name: String,
    witnesses: Vec<Witness>,
    nat_map: BTreeMap<String, Node>,
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
    connection: tokio::sync::Mutex<Option<Connection>>,
}

/// What the sentinels say.
#[derive(Debug, Clone, Default)]
struct Told {
    master: Option<Node>,
    /// Counts the answers.
    version: u64,
    /// A replica is about to become the master: what is written to the old one until then would be lost.
    handover: Option<Instant>,
}

impl Told {
    fn in_handover(&self) -> bool {
        self.handover.is_some_and(|until| Instant::now() < until)
    }
}

impl Sentinel {
    /// Reads the PEM files; connects to nothing.
    pub(super) fn new(redis: &config::Redis, sentinel: &config::Sentinel) -> Result<Self, TlsError> {
        let asked = config::Redis {
            username: sentinel.login.username.clone(),
            password: sentinel.login.password.clone(),
            logins: sentinel.logins.clone(),
            database: 0,
            // What they publish would come as another type.
            protocol: Protocol::Resp2,
            tls: sentinel.tls.clone(),
            ..redis.clone()
        };
        let first = address_of(&sentinel.nodes[0]);
        let connector = Connector::new(&asked, first.clone())?.for_any_role();
        let witness = |node| Witness { connector: connector.to(node), connection: tokio::sync::Mutex::default() };
        Ok(Self {
            name: sentinel.master.clone(),
            witnesses: sentinel.nodes.iter().map(witness).collect(),
            nat_map: sentinel.nat_map.clone(),
            masters: Connector::new(redis, first)?,
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

    /// The master, by an answer newer than `seen`: asks all sentinels, and has the server confirm that it takes writes.
    async fn find(&self, seen: u64) -> Result<Told, Trouble> {
        let _asking = self.asking.lock().await;
        let told = self.told.borrow().clone();
        if told.version > seen {
            return Ok(told);
        }
        let answers = self.answers().await;
        let mut trouble = None;
        let said = answers.into_iter().filter_map(|(_, answer)| match answer {
            Ok(Answer { node, epoch }) => Some(Answer { node: self.translated(node), epoch }),
            Err(error) => {
                trouble.get_or_insert(error);
                None
            }
        });
        for group in candidates(said.collect()) {
            let mut all_are_replicas = true;
            for node in group {
                match timeout(CONFIRM_TIMEOUT, self.connector(&node).connect()).await {
                    Ok(Ok(_confirmed)) => return Ok(self.tell(node)),
                    Ok(Err(error)) => {
                        all_are_replicas &= error.is_replica();
                        trouble = Some(error.into());
                    }
                    Err(_elapsed) => {
                        all_are_replicas = false;
                        trouble = Some(silent(&self.connector(&node), CONFIRM_TIMEOUT));
                    }
                }
            }
            // What sentinels said before they agreed on another is believed only when the later is no master.
            if !all_are_replicas {
                break;
            }
        }
        Err(trouble.expect("there is at least one sentinel"))
    }

    /// Asks all sentinels, and [finds](Self::find) the master when they no longer name the known one.
    async fn look(&self) {
        let told = self.told.borrow().clone();
        let said = self.answers().await.into_iter().filter_map(|(_, answer)| answer.ok());
        let said = said.map(|answer| Answer { node: self.translated(answer.node), ..answer });
        let newest = candidates(said.collect()).into_iter().flatten().next();
        if newest.is_some() && newest != told.master {
            // Lanes tell what is wrong when they need the master.
            let _nobody_knows = self.find(told.version).await;
        }
    }

    fn tell(&self, master: Node) -> Told {
        let mut before = None;
        self.told.send_modify(|told| {
            if told.master.as_ref() != Some(&master) {
                tracing::info!(name = self.name, %master, "the sentinels name the master");
                told.handover = None;
            }
            before = told.master.replace(master.clone());
            told.version += 1;
        });
        if let Some(old) = before.filter(|old| *old != master) {
            self.masters.switches().note(format_args!("{master} is the master instead of {old}"));
        }
        self.told.borrow().clone()
    }

    /// What each sentinel says.
    async fn answers(&self) -> Vec<(&Connector, Result<Answer, Trouble>)> {
        let first = Notify::new();
        let asked = self.witnesses.iter().map(async |witness| {
            let late = async {
                first.notified().await;
                tokio::time::sleep(LATECOMERS).await;
            };
            let answer = tokio::select! {
                answer = witness.ask(&self.name) => answer,
                () = late => Err(silent(&witness.connector, LATECOMERS)),
            };
            if answer.is_ok() {
                first.notify_waiters();
            }
            (&witness.connector, answer)
        });
        join_all(asked).await
    }

    fn translated(&self, node: Node) -> Node {
        self.nat_map.get(&node.to_string()).cloned().unwrap_or(node)
    }

    /// The master, and the lines that tell what each sentinel says; or all that is wrong.
    pub(super) async fn survey(&self) -> Result<(Node, Vec<String>), Vec<String>> {
        let (mut lines, mut missing) = (Vec::new(), Vec::new());
        for (connector, answer) in self.answers().await {
            match answer {
                Ok(Answer { node, epoch }) => {
                    let node = self.translated(node);
                    lines.push(format!("{} says {node} is {:?} (epoch {epoch})", connector.node(), self.name));
                }
                Err(trouble) => missing.push(trouble.message),
            }
        }
        match self.find(0).await {
            Ok(Told { master: Some(master), .. }) if missing.is_empty() => return Ok((master, lines)),
            Ok(_) => {}
            Err(trouble) if missing.contains(&trouble.message) => {}
            Err(trouble) => missing.push(trouble.message),
        }
        Err(missing)
    }

    /// Those that the first sentinel knows.
    pub(super) async fn replicas(&self) -> Result<Vec<Connector>, Trouble> {
        let nodes = self.witnesses[0].replicas(&self.name).await?;
        Ok(nodes.into_iter().map(|node| self.masters.to_replica(&self.translated(node))).collect())
    }
}

impl Witness {
    async fn ask(&self, name: &str) -> Result<Answer, Trouble> {
        self.with_connection(async |connection, node| answer::ask(connection, node, name).await).await
    }

    async fn replicas(&self, name: &str) -> Result<Vec<Node>, Trouble> {
        self.with_connection(async |connection, node| answer::replicas(connection, node, name).await).await
    }

    async fn with_connection<T>(&self, ask: impl AsyncFnOnce(&mut Connection, &str) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let mut kept = self.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connector.connect().await.map_err(|error| of_sentinel(error.into()))?,
        };
        let answer = ask(&mut connection, self.connector.node()).await.map_err(of_sentinel)?;
        *kept = Some(connection);
        Ok(answer)
    }
}

/// Sentinels have a login of their own, which hints should not confuse with the master's.
fn of_sentinel(trouble: Trouble) -> Trouble {
    let hint = match trouble.code.as_str() {
        "NOAUTH" | "WRONGPASS" => "; a sentinel's login is redis.sentinel.username and redis.sentinel.password",
        "NOPERM" => "; a sentinel's user needs +sentinel|master +sentinel|get-master-addr-by-name +subscribe and allchannels",
        _ => "",
    };
    Trouble { message: format!("sentinel {}{hint}", trouble.message), ..trouble }
}

fn silent(connector: &Connector, waited: Duration) -> Trouble {
    let message = format!("{}: no answer within {waited:?}", connector.node());
    Trouble { class: Class::Rediscover, code: "NONE".into(), message }
}
