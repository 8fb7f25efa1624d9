//! The part of a cluster that all lanes share: its nodes, and the map of its slots.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::slots::{NoMap, SlotMap};
use crate::config::{self, NatMap, Node};
use crate::lock;
use crate::redis::link::Redirect;
use crate::redis::route::survey::Servers;
use crate::redis::wire::{ServerRole, address_of};
use crate::redis::{ConnectionSettings, Connector, SLOTS, Trouble, slot_of};
use crate::tls::TlsError;

/// The nodes of a cluster, and which of them owns which slot.
pub struct Cluster {
    /// A connector to the first seed, of which those to other nodes are made.
    connector: Connector,
    seeds: Vec<Node>,
    nat_map: NatMap,
    /// How many times a write is sent on before it is retried with a new map.
    pub(super) max_redirections: u32,
    refresh_every: Duration,
    latest: RwLock<LatestMap>,
    /// The lane that asks for the map holds this lock.
    asking: tokio::sync::Mutex<()>,
}

/// The map of the moment.
#[derive(Default)]
struct LatestMap {
    map: Arc<SlotMap>,
    /// When a node last replied with a whole map; `None`: a map is to be asked for soon.
    asked: Option<Instant>,
}

impl Cluster {
    /// Reads the PEM files; connects to nothing.
    pub(in crate::redis::route) fn new(
        settings: ConnectionSettings,
        cluster: &config::Cluster,
    ) -> Result<Self, TlsError> {
        let settings = settings.with_role(ServerRole::ClusterNode);
        Ok(Self {
            connector: Connector::new(&settings, address_of(&cluster.seeds[0]))?,
            seeds: cluster.seeds.clone(),
            nat_map: cluster.nat_map.clone(),
            max_redirections: cluster.max_redirections,
            refresh_every: cluster.refresh,
            latest: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
        })
    }

    /// A connector, for what those to all nodes share.
    pub(in crate::redis::route) fn base(&self) -> &Connector {
        &self.connector
    }

    pub(super) fn connector(&self, node: &Node) -> Connector {
        self.connector.to(node)
    }

    /// A key like those of events, in a slot that `node` owns: a node is asked about its own keys
    /// only. Where all keys are in one slot, only its owner has such a key.
    pub(super) fn key_of(&self, node: &Node, map: &SlotMap) -> String {
        let mut keys = (0..SLOTS).map(|number| self.connector.key_of(&format!("{{{number}}}")));
        keys.find(|key| map.owner(slot_of(key.as_bytes())) == Some(node))
            .unwrap_or_else(|| self.connector.blank_key().to_owned())
    }

    pub(super) fn map(&self) -> Arc<SlotMap> {
        Arc::clone(&lock::read(&self.latest).map)
    }

    fn put(&self, map: SlotMap) -> Arc<SlotMap> {
        let map = Arc::new(map);
        let mut latest = lock::write(&self.latest);
        latest.map = Arc::clone(&map);
        map
    }

    /// True when nobody has asked for the map for `redis.cluster.refresh`.
    pub(super) fn is_due(&self) -> bool {
        let asked = lock::read(&self.latest).asked;
        asked.is_none_or(|asked| asked.elapsed() >= self.refresh_every)
    }

    /// Notes the node that a write was sent on to, and returns it. When that node owned nothing
    /// before, the whole map is asked for soon: the node may have taken another's place.
    pub(super) fn learn(&self, redirect: &Redirect, from: &Node) -> Option<Node> {
        let (host, port) = redirect.place.rsplit_once(':')?;
        let host = if host.is_empty() { &from.host } else { host };
        // A node that announces no name is called "?": only the map may say where it is.
        let Some(node) =
            Node::announced(host, port.parse().ok()?).map(|node| self.nat_map.reached(node))
        else {
            lock::write(&self.latest).asked = None;
            return None;
        };
        let map = self.map();
        if !redirect.ask && map.owner(redirect.slot) != Some(&node) {
            let is_new = !map.owners(0..SLOTS).contains(&&node);
            self.put(map.with(redirect.slot, node.clone()));
            if is_new {
                lock::write(&self.latest).asked = None;
            }
        }
        Some(node)
    }

    /// A map newer than the version `seen`: asks all known nodes, and takes the first reply.
    pub(super) async fn refresh(&self, seen: u64) -> Result<Arc<SlotMap>, Trouble> {
        let _asking = self.asking.lock().await;
        let map = self.map();
        if map.version > seen {
            return Ok(map);
        }
        let mut candidates: Vec<Node> =
            [&map.nodes, &map.replicas, &self.seeds].into_iter().flatten().cloned().collect();
        candidates.sort();
        candidates.dedup();
        let mut asked = JoinSet::new();
        for node in candidates {
            let connector = self.connector(&node);
            asked.spawn(async move { (node, slots_of(&connector).await) });
        }
        let mut trouble = None;
        while let Some(answer) = asked.join_next().await {
            match answer.expect("asking does not panic") {
                (node, Ok(reply)) => {
                    match SlotMap::read(&reply, &node, |node| self.nat_map.reached(node)) {
                        Ok(read) => {
                            lock::write(&self.latest).asked = Some(Instant::now());
                            let replaced = read.replaced(&map).cloned();
                            let map = self.put(read.newer_than(&map));
                            if let Some(node) = replaced {
                                self.connector.loss_epochs().note(format_args!(
                                    "{node} owns no slots of the cluster any more"
                                ));
                            }
                            return Ok(map);
                        }
                        Err(why) => trouble = trouble.or_else(|| Some(no_map(&node, why))),
                    }
                }
                (_, Err(found)) => trouble = Some(found),
            }
        }
        Err(trouble.expect("there is at least one seed"))
    }

    /// The owners, each with the number of its slots; with `all` the replicas that the map names,
    /// each once.
    pub(in crate::redis::route) async fn servers(&self, all: bool) -> Result<Servers, Vec<String>> {
        let seen = self.map().version;
        let map = self.refresh(seen).await.map_err(|trouble| vec![trouble.message])?;
        let mut missing = Vec::new();
        let uncovered = map.uncovered();
        if uncovered > 0 {
            missing.push(format!(
                "{uncovered} of the cluster's {SLOTS} slots have no owner: see `redis-cli \
                 --cluster check`"
            ));
        }
        let owners = map.shares().into_iter();
        let primaries = owners
            .map(|(node, slots)| (self.connector(node), vec![("slots", slots.to_string())]))
            .collect();
        let replicas = if all { self.replicas(&map) } else { Vec::new() };
        Ok(Servers { primaries, replicas, missing })
    }

    fn replicas(&self, map: &SlotMap) -> Vec<Connector> {
        let mut nodes = map.replicas.clone();
        nodes.sort();
        nodes.dedup();
        nodes.iter().map(|node| self.connector.to_replica(node)).collect()
    }
}

async fn slots_of(connector: &Connector) -> Result<redis::Value, Trouble> {
    let mut connection = connector.connect().await?;
    Ok(connection.query(redis::cmd("CLUSTER").arg("SLOTS")).await?)
}

fn no_map(node: &Node, why: NoMap) -> Trouble {
    Trouble::rediscover(match why {
        NoMap::Empty => format!(
            "{node} knows of no slots: is the cluster created (`redis-cli --cluster create`)?"
        ),
        NoMap::Nameless => format!(
            "{node} names a node of the cluster \"?\" (CLUSTER SLOTS): set \
             cluster-announce-hostname on that node, or cluster-preferred-endpoint-type ip on all"
        ),
        NoMap::TooLarge => {
            format!(
                "{node} names more owners or replicas than a cluster can have (CLUSTER SLOTS): it \
                 is not believed"
            )
        }
        NoMap::Malformed => {
            format!("{node}: the answer to CLUSTER SLOTS is not that of a cluster's node")
        }
    })
}
