//! Where keys live: the one place that knows which kind of Redis this is.

use std::sync::Arc;

use super::cluster::Cluster;
use super::{Connector, Report, SLOTS, probe};
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
        }))
    }

    /// For each node that takes writes what [`probe()`] tells and, in a cluster, the number of its slots; or all that is wrong.
    pub async fn survey(&self) -> Result<Vec<(Connector, Report, Option<usize>)>, Vec<String>> {
        let (nodes, uncovered) = match &self.0 {
            Kind::One(connector) => (vec![(connector.clone(), None)], 0),
            Kind::Cluster(cluster) => {
                let (owners, uncovered) = cluster.survey().await.map_err(|trouble| vec![trouble.message])?;
                (owners.into_iter().map(|(node, slots)| (cluster.connector(&node), Some(slots))).collect(), uncovered)
            }
        };
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for (connector, slots) in nodes {
            match probe(&connector).await {
                Ok(report) => found.push((connector, report, slots)),
                Err(error) => missing.push(error.message),
            }
        }
        if uncovered > 0 {
            missing.push(format!("{uncovered} of the cluster's {SLOTS} slots have no owner: see `redis-cli --cluster check`"));
        }
        if missing.is_empty() { Ok(found) } else { Err(missing) }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }
}
