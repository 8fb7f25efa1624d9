//! A lane's way to Redis: whichever nodes own its keys.

use std::sync::Arc;

use super::cluster::ClusterStore;
use super::link::{Answer, Link};
use super::sentinel::SentinelStore;
use super::topology::{Kind, Topology};
use super::writes::{Allowed, Apply, Trouble, Verdict, Writes};
use crate::metrics::Metrics;

/// The writes of one lane. With one node, every lane has the same owner.
pub struct Store(Way);

enum Way {
    One {
        link: Box<Link>,
        /// Asked about when there is nothing to write.
        key: String,
        answers: Vec<Answer>,
    },
    Cluster(Box<ClusterStore>),
    Sentinel(Box<SentinelStore>),
}

impl Store {
    /// For the lane `number` of `lanes`, which own the slots in equal parts.
    pub fn new(topology: &Topology, (number, lanes): (usize, usize), metrics: Arc<Metrics>) -> Self {
        Self(match topology.kind() {
            Kind::One(connector) => {
                let key = connector.blank_key().to_owned();
                Way::One { link: Box::new(Link::new(connector.clone(), metrics)), key, answers: Vec::new() }
            }
            Kind::Cluster(cluster) => Way::Cluster(Box::new(ClusterStore::new(Arc::clone(cluster), (number, lanes), metrics))),
            Kind::Sentinel(sentinel) => Way::Sentinel(Box::new(SentinelStore::new(Arc::clone(sentinel), metrics))),
        })
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

    async fn apply(&mut self, writes: &Writes, allowed: Allowed<'_>, verdicts: &mut Vec<Verdict>) -> Option<Trouble> {
        match &mut self.0 {
            Way::One { link, answers, .. } => {
                let trouble = link.write(writes.packed(), writes.len(), false, allowed, answers).await;
                verdicts.extend(answers.drain(..).map(Answer::verdict));
                trouble
            }
            Way::Cluster(cluster) => cluster.apply(writes, allowed, verdicts).await,
            Way::Sentinel(sentinel) => sentinel.apply(writes, allowed, verdicts).await,
        }
    }
}
