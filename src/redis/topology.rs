//! Where keys live: the one place that knows which kind of Redis this is.

use std::sync::Arc;

use tokio::sync::watch;

use super::cluster::Cluster;
use super::sentinel::Sentinel;
use super::sharded::Shards;
use super::{Connector, Placement, Report, SLOTS, probe};
use crate::config::{Address, Mode, Redis};
use crate::tls::TlsError;

/// Shared by all lanes.
#[derive(Clone)]
pub struct Topology(Kind);

#[derive(Clone)]
pub(super) enum Kind {
    /// Every key lives here.
    One(Connector),
    Cluster(Arc<Cluster>),
    Sentinel(Arc<Sentinel>),
    Sharded(Arc<Shards>),
}

/// A server that takes writes, and what it says of itself.
pub struct Surveyed {
    pub connector: Connector,
    pub report: Report,
    /// Lines for people, each with a word for what it is about.
    pub more: Vec<(&'static str, String)>,
}

impl Topology {
    /// Reads the PEM files; connects to nothing.
    pub fn new(redis: &Redis) -> Result<Self, TlsError> {
        Ok(Self(match &redis.mode {
            Mode::Standalone(address) => Kind::One(Connector::new(redis, address.clone())?),
            Mode::Embedded(listen) => {
                let address = Address::Tcp { host: listen.ip().to_string(), port: listen.port() };
                Kind::One(Connector::new(redis, address)?)
            }
            Mode::Cluster(cluster) => Kind::Cluster(Arc::new(Cluster::new(redis, cluster)?)),
            Mode::Sentinel(sentinel) => Kind::Sentinel(Arc::new(Sentinel::new(redis, sentinel)?)),
            Mode::Sharded(shards) => Kind::Sharded(Arc::new(Shards::new(redis, shards)?)),
        }))
    }

    /// Which of so many `lanes` writes which key.
    pub fn placement(&self, lanes: usize) -> Placement {
        match &self.0 {
            Kind::One(_) | Kind::Cluster(_) | Kind::Sentinel(_) => Placement::by_slot(lanes),
            Kind::Sharded(shards) => Placement::by_shard(Arc::clone(shards), lanes),
        }
    }

    /// What [`probe()`] tells of each node that takes writes, and what there is to say of its place among others; or all that is
    /// wrong.
    pub async fn survey(&self) -> Result<Vec<Surveyed>, Vec<String>> {
        let (nodes, mut missing) = match &self.0 {
            Kind::One(connector) => (vec![(connector.clone(), Vec::new())], Vec::new()),
            Kind::Cluster(cluster) => {
                let (owners, uncovered) = cluster.survey().await.map_err(|trouble| vec![trouble.message])?;
                let slots = |slots: usize| vec![("slots", slots.to_string())];
                let nodes = owners.into_iter().map(|(node, count)| (cluster.connector(&node), slots(count)));
                let uncovered = (uncovered > 0).then(|| {
                    format!("{uncovered} of the cluster's {SLOTS} slots have no owner: see `redis-cli --cluster check`")
                });
                (nodes.collect(), uncovered.into_iter().collect())
            }
            Kind::Sentinel(sentinel) => {
                let (master, said) = sentinel.survey().await?;
                let said = said.into_iter().map(|line| ("sentinel", line)).collect();
                (vec![(sentinel.connector(&master), said)], Vec::new())
            }
            Kind::Sharded(shards) => {
                let share = |share: f64| vec![("keys", format!("{:.1} %", 100.0 * share))];
                (shards.shares().map(|(shard, part)| (shard.clone(), share(part))).collect(), Vec::new())
            }
        };
        let mut found = Vec::new();
        for (connector, more) in nodes {
            match probe(&connector).await {
                Ok(report) => found.push(Surveyed { connector, report, more }),
                Err(error) => missing.push(error.message),
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(missing) }
    }

    /// Counts the times that confirmed writes may have been lost because another server took over: see [`super::Switches`].
    pub fn switches(&self) -> watch::Receiver<u64> {
        let connector = match &self.0 {
            Kind::One(connector) => connector,
            Kind::Cluster(cluster) => cluster.base(),
            Kind::Sentinel(sentinel) => sentinel.base(),
        };
        connector.switches().subscribe()
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }
}
