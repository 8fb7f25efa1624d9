//! The writes of one lane into a cluster: split by owner, sent side by side, sent on where a slot
//! has moved.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::discovery::Cluster;
use super::node_batch::NodeBatch;
use super::slots::SlotMap;
use crate::config::Node;
use crate::metrics::Metrics;
use crate::redis::command::{Verdict, Writes};
use crate::redis::link::{Link, NodeReply};
use crate::redis::route::parts::part;
use crate::redis::{Allowed, Class, SLOTS, Trouble};

/// How long closing the old connection to one node may take, before a write that may have reached
/// that node is sent to another. A node that does not answer then and is no longer the owner cannot
/// apply the write in the cluster's name.
const FENCE_TIMEOUT: Duration = Duration::from_secs(1);

/// The connections of one lane: one to each node that owns slots of its range.
pub struct ClusterWriter {
    cluster: Arc<Cluster>,
    /// The lane's slots.
    range: Range<usize>,
    links: HashMap<Node, Link>,
    /// The version of the map whose nodes could not be written to.
    stale: Option<u64>,
    /// The version of the map that `links` were last compared with.
    compared: u64,
    metrics: Arc<Metrics>,
}

impl ClusterWriter {
    pub(in crate::redis::route) fn new(
        cluster: Arc<Cluster>,
        (number, lanes): (usize, usize),
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            cluster,
            range: part(number, lanes, SLOTS),
            links: HashMap::new(),
            stale: None,
            compared: 0,
            metrics,
        }
    }

    /// Reaches all nodes that own slots of this lane.
    pub(in crate::redis::route) async fn reach(&mut self) -> Result<(), Trouble> {
        let map = self.map().await?;
        if map.owners(self.range.clone()).is_empty() {
            self.stale = Some(map.version);
            return Err(no_owner());
        }
        for node in map.owners(self.range.clone()) {
            let key = self.cluster.key_of(node, &map);
            if let Err(trouble) = self.link(node).reach(&key).await {
                self.stale = Some(map.version);
                return Err(trouble);
            }
        }
        Ok(())
    }

    pub(in crate::redis::route) async fn apply(
        &mut self,
        writes: &Writes,
        allowed: Allowed<'_>,
        verdicts: &mut Vec<Verdict>,
    ) -> Option<Trouble> {
        let from = verdicts.len();
        let map = match self.map().await {
            Ok(map) => map,
            Err(trouble) => {
                verdicts.resize(from + writes.len(), Verdict::Retry(trouble.class));
                return Some(trouble);
            }
        };
        self.fence_lost(&map).await;
        verdicts.resize(from + writes.len(), Verdict::Retry(Class::Rediscover));
        let mut trouble = None;
        let mut batches = self.batches(writes, &map, &mut trouble);
        for _ in 0..=self.cluster.max_redirections {
            if batches.is_empty() {
                break;
            }
            let found = self.send(&mut batches, allowed).await;
            trouble = Trouble::graver(trouble, found);
            batches = self.settle(batches, writes, &mut verdicts[from..], &mut trouble);
        }
        if !batches.is_empty() {
            trouble.get_or_insert_with(too_many_redirections);
        }
        if trouble.as_ref().is_some_and(|trouble| trouble.class != Class::Retry) {
            self.stale = Some(map.version);
        }
        trouble
    }

    /// The map; a new one when the last one's nodes could not be written to, or when it is time to
    /// ask again.
    async fn map(&mut self) -> Result<Arc<SlotMap>, Trouble> {
        let map = self.cluster.map();
        match self.stale {
            Some(version) => {
                let map = self.cluster.refresh(version).await?;
                self.stale = None;
                Ok(map)
            }
            None if map.nodes.is_empty() => self.cluster.refresh(map.version).await,
            None if self.cluster.is_due() => {
                Ok(self.cluster.refresh(map.version).await.unwrap_or(map))
            }
            None => Ok(map),
        }
    }

    fn link(&mut self, node: &Node) -> &mut Link {
        let Self { links, cluster, metrics, .. } = self;
        links
            .entry(node.clone())
            .or_insert_with(|| Link::new(cluster.connector(node), Arc::clone(metrics)))
    }

    /// Fences connections that were lost, and forgets nodes that own nothing any more.
    async fn fence_lost(&mut self, map: &SlotMap) {
        for link in self.links.values_mut().filter(|link| link.has_fence()) {
            let _unreachable = tokio::time::timeout(FENCE_TIMEOUT, link.open()).await;
        }
        if std::mem::replace(&mut self.compared, map.version) == map.version {
            return;
        }
        let owners = map.owners(0..SLOTS);
        self.links
            .extract_if(|node, _| !owners.contains(&node))
            .for_each(|(_, link)| link.retire());
    }

    /// The writes by owner; a write whose slot has no owner is left out.
    fn batches(
        &self,
        writes: &Writes,
        map: &SlotMap,
        trouble: &mut Option<Trouble>,
    ) -> Vec<NodeBatch> {
        let mut batches = Vec::new();
        for write in 0..writes.len() {
            match map.owner(writes.slot(write)) {
                Some(node) => NodeBatch::add(&mut batches, node, false, write, writes),
                None => *trouble = trouble.take().or_else(|| Some(no_owner())),
            }
        }
        batches
    }

    /// Sends all batches side by side.
    async fn send(&mut self, batches: &mut [NodeBatch], allowed: Allowed<'_>) -> Option<Trouble> {
        for batch in batches.iter() {
            self.link(&batch.node);
        }
        let mut links: HashMap<&Node, &mut Link> = self.links.iter_mut().collect();
        // Writes with ASKING share a connection with others to the same node, and are sent after
        // them.
        let (mut first, mut second): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
        for batch in batches {
            match links.remove(&batch.node) {
                Some(link) => first.push((link, batch)),
                None => second.push(batch),
            }
        }
        let sent = join_all(first.into_iter().map(|(link, batch)| batch.send(link, allowed))).await;
        let mut trouble = sent.into_iter().fold(None, Trouble::graver);
        for batch in second {
            let link = self.links.get_mut(&batch.node).expect("made above");
            let found = batch.send(link, allowed).await;
            trouble = Trouble::graver(trouble, found);
        }
        trouble
    }

    /// Notes the verdicts; returns new batches of the writes that nodes sent elsewhere.
    fn settle(
        &self,
        batches: Vec<NodeBatch>,
        writes: &Writes,
        verdicts: &mut [Verdict],
        trouble: &mut Option<Trouble>,
    ) -> Vec<NodeBatch> {
        let mut next = Vec::new();
        for batch in batches {
            for (write, reply) in batch.writes.iter().zip(batch.replies) {
                match reply {
                    NodeReply::Is(verdict) => verdicts[*write] = verdict,
                    NodeReply::Elsewhere(redirect) => {
                        verdicts[*write] = Verdict::Retry(Class::Rediscover);
                        match self.cluster.learn(&redirect, &batch.node) {
                            Some(node) => {
                                NodeBatch::add(&mut next, &node, redirect.ask, *write, writes)
                            }
                            None => drop(trouble.get_or_insert_with(|| unnamed_node(&batch.node))),
                        }
                    }
                }
            }
        }
        next
    }
}

pub(super) fn no_owner() -> Trouble {
    let message =
        "no node of the cluster owns the slot of a key: see `redis-cli --cluster check`".to_owned();
    Trouble { class: Class::Rediscover, code: "CLUSTERDOWN".into(), message }
}

pub(super) fn unnamed_node(node: &Node) -> Trouble {
    let message = format!(
        "{node} sends a key to a node that it cannot name: set cluster-announce-hostname on each \
         node"
    );
    Trouble { class: Class::Rediscover, code: "MOVED".into(), message }
}

pub(super) fn too_many_redirections() -> Trouble {
    let message =
        "nodes of the cluster send a key from one to the other (redis.cluster.max_redirections)"
            .to_owned();
    Trouble { class: Class::Rediscover, code: "MOVED".into(), message }
}
