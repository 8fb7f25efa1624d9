//! A lane's way to Redis: whichever nodes own its keys.

use std::sync::Arc;

use super::cluster::ClusterStore;
use super::command::{Verdict, Writes};
use super::link::{Link, NodeReply};
use super::sentinel::SentinelWriter;
use super::topology::{Kind, Topology};
use super::{Allowed, Apply, Connector, Trouble};
use crate::metrics::Metrics;

/// The writes of one lane.
pub struct Store(Way);

enum Way {
    /// To the one node that owns all keys of the lane.
    One {
        link: Box<Link>,
        /// Asked about when there is nothing to write.
        key: String,
        answers: Vec<NodeReply>,
    },
    Cluster(Box<ClusterStore>),
    Sentinel(Box<SentinelWriter>),
}

impl Store {
    /// For `lane`: its number, and how many there are, as [`Topology::placement`] places keys.
    pub fn new(topology: &Topology, lane: (usize, usize), metrics: Arc<Metrics>) -> Self {
        Self(match topology.kind() {
            Kind::One(connector) | Kind::PrimaryReplicas(connector, _) => {
                Way::to(connector, metrics)
            }
            Kind::Cluster(cluster) => {
                Way::Cluster(Box::new(ClusterStore::new(Arc::clone(cluster), lane, metrics)))
            }
            Kind::Sentinel(sentinel) => {
                Way::Sentinel(Box::new(SentinelWriter::new(Arc::clone(sentinel), metrics)))
            }
            Kind::Sharded(shards) => Way::to(shards.of_lane(lane), metrics),
        })
    }
}

impl Way {
    fn to(connector: &Connector, metrics: Arc<Metrics>) -> Self {
        let key = connector.blank_key().to_owned();
        Self::One {
            link: Box::new(Link::new(connector.clone(), metrics)),
            key,
            answers: Vec::new(),
        }
    }
}

impl Apply for Store {
    async fn reach(&mut self) -> Result<(), Trouble> {
        match &mut self.0 {
            Way::One { link, key, .. } => link.reach(key).await,
            Way::Cluster(cluster) => cluster.reach().await,
            Way::Sentinel(sentinel) => sentinel.reach().await,
        }
    }

    async fn apply(
        &mut self,
        writes: &Writes,
        allowed: Allowed<'_>,
        verdicts: &mut Vec<Verdict>,
    ) -> Option<Trouble> {
        match &mut self.0 {
            Way::One { link, answers, .. } => {
                let trouble =
                    link.write(writes.packed(), writes.len(), false, allowed, answers).await;
                verdicts.extend(answers.drain(..).map(NodeReply::verdict));
                trouble
            }
            Way::Cluster(cluster) => cluster.apply(writes, allowed, verdicts).await,
            Way::Sentinel(sentinel) => sentinel.apply(writes, allowed, verdicts).await,
        }
    }
}
