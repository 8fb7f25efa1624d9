//! Where keys live: the one place that knows which kind of Redis this is.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::cluster::Cluster;
use super::sentinel::Sentinel;
use super::sharded::Shards;
use super::wire::ServerRole;
use super::{ConnectionSettings, Connector, Placement};
use crate::config::{Address, Local, Mode, PrimaryReplicas, Redis};
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
    /// Every key lives on the primary; the others are for `check`.
    PrimaryReplicas(Connector, Vec<Connector>),
}

impl Topology {
    /// Reads the PEM files; connects to nothing.
    pub fn new(redis: &Redis) -> Result<Self, TlsError> {
        let settings = ConnectionSettings::of(redis);
        Ok(Self(match &redis.mode {
            Mode::Standalone(address) => Kind::One(Connector::new(&settings, address.clone())?),
            Mode::Embedded(listen) => Kind::One(Connector::new(&settings, address_at(*listen))?),
            Mode::Local(local) => Kind::One(Connector::new(
                &settings,
                Address::Unix(Local::socket_in(&local.data_dir)),
            )?),
            Mode::Cluster(cluster) => Kind::Cluster(Arc::new(Cluster::new(redis, cluster)?)),
            Mode::Sentinel(sentinel) => Kind::Sentinel(Arc::new(Sentinel::new(redis, sentinel)?)),
            Mode::Sharded(shards) => Kind::Sharded(Arc::new(Shards::new(redis, shards)?)),
            Mode::PrimaryReplicas(PrimaryReplicas { primary, replicas }) => {
                let settings = settings.with_role(ServerRole::Primary);
                let primary = Connector::new(&settings, primary.clone())?;
                let replicas = replicas.iter().map(|node| primary.to_replica(node)).collect();
                Kind::PrimaryReplicas(primary, replicas)
            }
        }))
    }

    /// Which of so many `lanes` writes which key.
    pub fn placement(&self, lanes: usize) -> Placement {
        match &self.0 {
            Kind::One(_) | Kind::Cluster(_) | Kind::Sentinel(_) | Kind::PrimaryReplicas(..) => {
                Placement::by_slot(lanes)
            }
            Kind::Sharded(shards) => Placement::by_shard(Arc::clone(shards), lanes),
        }
    }

    /// Counts the times that confirmed writes may have been lost because another server took over:
    /// see [`super::LossEpochs`].
    pub fn switches(&self) -> watch::Receiver<u64> {
        let connector = match &self.0 {
            Kind::One(connector) | Kind::PrimaryReplicas(connector, _) => connector,
            Kind::Cluster(cluster) => cluster.base(),
            Kind::Sentinel(sentinel) => sentinel.base(),
            Kind::Sharded(shards) => shards.base(),
        };
        connector.loss_epochs().subscribe()
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }
}

fn address_at(listen: SocketAddr) -> Address {
    Address::Tcp { host: listen.ip().to_string(), port: listen.port() }
}
