//! The route of a write: which server takes a key. The one place that asks which kind of Redis
//! this is.

mod cluster;
mod one;
mod owner;
mod parts;
mod placement;
mod sentinel;
mod sharded;
mod survey;

use std::sync::Arc;

use tokio::sync::watch;

use self::cluster::{Cluster, ClusterWriter};
use self::one::{One, OneWriter};
pub(in crate::redis) use self::owner::KeyOwner;
pub use self::placement::Placement;
use self::sentinel::{Sentinel, SentinelWriter};
use self::sharded::Shards;
pub use self::survey::{Survey, Surveyed};
use super::command::{Forms, Verdict, Writes};
use super::link::Redirect;
use super::read::{ProfileReply, ReadError, StoredProfile, read};
use super::{Allowed, Apply, ConnectionSettings, Connector, Trouble, probe};
use crate::config::{self, Address, Local, Mode};
use crate::metrics::Metrics;
use crate::tls::TlsError;

/// The kind of Redis, with the servers it consists of. All lanes share it.
#[derive(Clone)]
pub enum Route {
    /// Every key is on one server; it may have replicas, which `check` reads.
    One(Arc<One>),
    Cluster(Arc<Cluster>),
    Sentinel(Arc<Sentinel>),
    Sharded(Arc<Shards>),
}

/// The writes of one lane, to the servers that own its keys.
pub enum LaneWriter {
    One(Box<OneWriter>),
    Cluster(Box<ClusterWriter>),
    Sentinel(Box<SentinelWriter>),
}

impl Route {
    /// For writes of these `forms`. Reads the PEM files; connects to nothing.
    ///
    /// # Errors
    /// A PEM file that cannot be used.
    pub fn new(redis: &config::Redis, forms: &Arc<Forms>) -> Result<Self, TlsError> {
        let settings = ConnectionSettings::of(redis).with_forms(forms);
        Ok(match &redis.mode {
            Mode::Standalone(address) => Self::one(&settings, address.clone())?,
            Mode::Embedded(listen) => {
                let (host, port) = (listen.ip().to_string(), listen.port());
                Self::one(&settings, Address::Tcp { host, port })?
            }
            Mode::Local(local) => {
                Self::one(&settings, Address::Unix(Local::socket_in(&local.data_dir)))?
            }
            Mode::PrimaryReplicas(servers) => {
                Self::One(Arc::new(One::with_replicas(settings, servers)?))
            }
            Mode::Cluster(cluster) => Self::Cluster(Arc::new(Cluster::new(settings, cluster)?)),
            Mode::Sentinel(sentinel) => {
                Self::Sentinel(Arc::new(Sentinel::new(settings, sentinel)?))
            }
            Mode::Sharded(shards) => Self::Sharded(Arc::new(Shards::new(&settings, shards)?)),
        })
    }

    fn one(settings: &ConnectionSettings, address: Address) -> Result<Self, TlsError> {
        Ok(Self::One(Arc::new(One::new(settings, address)?)))
    }

    /// Assigns every key to one of so many `lanes`.
    pub fn placement(&self, lanes: usize) -> Placement {
        match self {
            Self::One(_) | Self::Cluster(_) | Self::Sentinel(_) => Placement::by_slot(lanes),
            Self::Sharded(shards) => Placement::by_shard(Arc::clone(shards), lanes),
        }
    }

    /// The writer of `lane`: its number, and how many there are, as [`Route::placement`] places
    /// keys. Connects when there is something to write.
    pub fn writer(&self, lane: (usize, usize), metrics: Arc<Metrics>) -> LaneWriter {
        let one = |connector| LaneWriter::One(Box::new(OneWriter::new(connector, &metrics)));
        match self {
            Self::One(server) => one(server.connector()),
            Self::Sharded(shards) => one(shards.of_lane(lane)),
            Self::Cluster(cluster) => {
                let writer = ClusterWriter::new(Arc::clone(cluster), lane, metrics);
                LaneWriter::Cluster(Box::new(writer))
            }
            Self::Sentinel(sentinel) => {
                let writer = SentinelWriter::new(Arc::clone(sentinel), metrics);
                LaneWriter::Sentinel(Box::new(writer))
            }
        }
    }

    /// A counter of the times that confirmed writes may have been lost because another server took
    /// over: see [`super::LossEpochs`].
    pub fn loss_epochs(&self) -> watch::Receiver<u64> {
        self.base().loss_epochs().subscribe()
    }

    /// New connections use the passwords and certificates of `redis`, which must be of the same
    /// kind and name the same servers. Connections that are open stay.
    pub fn reload(&self, redis: &config::Redis) {
        match (self, &redis.mode) {
            (Self::Sentinel(sentinel), Mode::Sentinel(settings)) => {
                sentinel.reload(&ConnectionSettings::of(redis), settings);
            }
            _ => self.base().reload(&ConnectionSettings::of(redis)),
        }
    }

    /// When the first certificate ends, in seconds since 1970: the worker's own, the authorities in
    /// its files, and the chains of the servers as last seen. `None`: there is no TLS, or no end is
    /// known. Reads the PEM files.
    pub fn certificate_end(&self) -> Option<i64> {
        match self {
            Self::Sentinel(sentinel) => sentinel.certificate_end(),
            _ => self.base().certificate_end(),
        }
    }

    /// A connector, for what those to all servers that take writes share.
    fn base(&self) -> &Connector {
        match self {
            Self::One(server) => server.connector(),
            Self::Cluster(cluster) => cluster.base(),
            Self::Sentinel(sentinel) => sentinel.base(),
            Self::Sharded(shards) => shards.base(),
        }
    }

    /// Probes each node that takes writes and each replica that is configured; with `all` also the
    /// replicas that the cluster or the sentinels know. Finds the place of each among the others,
    /// and all that is wrong.
    pub async fn survey(&self, all: bool) -> Survey {
        let servers = match self {
            Self::One(server) => Ok(server.servers()),
            Self::Cluster(cluster) => cluster.servers(all).await,
            Self::Sentinel(sentinel) => sentinel.servers(all).await,
            Self::Sharded(shards) => Ok(shards.servers()),
        };
        match servers {
            Ok(servers) => servers.survey().await,
            Err(missing) => Survey { found: Vec::new(), missing },
        }
    }

    /// The hash at `key`, from the server that takes its writes; `None`: there is none. Each call
    /// makes a connection of its own.
    ///
    /// # Errors
    /// The server cannot be asked, or the key holds no hash, or one that is too large.
    pub async fn read(&self, key: &[u8]) -> Result<Option<StoredProfile>, ReadError> {
        let mut owner = self.owner(key).await?;
        let mut redirections = 0;
        loop {
            match read(&owner.connector, key, owner.asking).await? {
                ProfileReply::Here(profile) => return Ok(profile),
                ProfileReply::Elsewhere(redirect) => {
                    owner = self.owner_after(&redirect, &owner, redirections)?;
                    redirections += 1;
                }
            }
        }
    }

    /// The server that takes the writes of `key`.
    pub(in crate::redis) async fn owner(&self, key: &[u8]) -> Result<KeyOwner, Trouble> {
        Ok(match self {
            Self::One(server) => KeyOwner::server(server.connector().clone()),
            Self::Sharded(shards) => KeyOwner::server(shards.of_key(key).clone()),
            Self::Sentinel(sentinel) => KeyOwner::server(sentinel.master().await?),
            Self::Cluster(cluster) => cluster.owner(key).await?,
        })
    }

    /// The server to which `from` sends a command on, after so many `redirections` of it.
    pub(in crate::redis) fn owner_after(
        &self,
        redirect: &Redirect,
        from: &KeyOwner,
        redirections: u32,
    ) -> Result<KeyOwner, Trouble> {
        match self {
            Self::Cluster(cluster) => cluster.owner_after(redirect, from, redirections),
            _ => unreachable!("only nodes of a cluster send elsewhere"),
        }
    }

    /// The `ACL SETUSER` line with exactly what the worker needs to write as `username` to keys of
    /// these patterns ([`crate::redis::key_pattern`]). To be typed at the prompt of `redis-cli`,
    /// with PASSWORD replaced. `reads`: profiles are looked up, too; `shares`: workers share a hash
    /// that says who is suppressed.
    pub fn minimal_acl(
        &self,
        username: &str,
        keys: &[String],
        durability: Option<config::Durability>,
        reads: bool,
        shares: bool,
    ) -> String {
        let commands = match self {
            Self::Cluster(_) => &["asking", "cluster|slots", "cluster|info"][..],
            Self::Sentinel(_) => &["role"],
            Self::One(server) if server.is_primary_of_replicas() => &["role"],
            Self::One(_) | Self::Sharded(_) => &[],
        };
        let forms = self.base().forms();
        let reading = forms.read_commands().map(str::to_ascii_lowercase);
        let reading = reading.iter().filter(|_| reads).map(String::as_str);
        let sharing = probe::SHARED_HASH_COMMANDS.iter().copied().filter(|_| shares);
        let commands = commands.iter().copied().chain(reading).chain(sharing);
        let commands: Vec<&str> = commands.collect();
        probe::minimal_acl(username, keys, forms, &commands, durability)
    }
}

impl Apply for LaneWriter {
    async fn reach(&mut self) -> Result<(), Trouble> {
        match self {
            Self::One(writer) => writer.reach().await,
            Self::Cluster(writer) => writer.reach().await,
            Self::Sentinel(writer) => writer.reach().await,
        }
    }

    async fn apply(
        &mut self,
        writes: &Writes,
        allowed: Allowed<'_>,
        verdicts: &mut Vec<Verdict>,
    ) -> Option<Trouble> {
        match self {
            Self::One(writer) => writer.apply(writes, allowed, verdicts).await,
            Self::Cluster(writer) => writer.apply(writes, allowed, verdicts).await,
            Self::Sentinel(writer) => writer.apply(writes, allowed, verdicts).await,
        }
    }
}
