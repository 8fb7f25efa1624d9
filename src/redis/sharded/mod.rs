//! Independent servers, each with its part of the keys.
//!
//! A lane writes to one shard only ([`Placement`](super::Placement)): a shard that is away stops
//! its own lanes and no others.

mod ring;

use self::ring::Ring;
use super::placement::part_of;
use super::wire::address_of;
use super::{ConnectionSettings, Connector};
use crate::config::{self, Shard};
use crate::tls::TlsError;

/// All shards.
pub(super) struct Shards {
    connectors: Vec<Connector>,
    ring: Ring,
}

impl Shards {
    /// Of at least one, each listed once. Reads the PEM files; connects to nothing.
    pub(super) fn new(redis: &config::Redis, shards: &[Shard]) -> Result<Self, TlsError> {
        let any = Connector::new(&ConnectionSettings::of(redis), address_of(&shards[0].node))?;
        let names: Vec<String> = shards.iter().map(ToString::to_string).collect();
        let connectors =
            shards.iter().map(|shard| any.to(&shard.node).in_database(shard.database)).collect();
        Ok(Self { connectors, ring: Ring::new(&names) })
    }

    /// To any of them.
    pub(super) fn base(&self) -> &Connector {
        &self.connectors[0]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.connectors.len()
    }

    /// The number of the shard that `key` belongs to.
    pub(super) fn owner(&self, key: &[u8]) -> usize {
        self.ring.owner(key)
    }

    /// To the shard that the lane `number` of `lanes` writes to.
    pub(super) fn of_lane(&self, (number, lanes): (usize, usize)) -> &Connector {
        &self.connectors[part_of(number, lanes, self.len())]
    }

    /// Each with its part of all keys, from 0 to 1.
    pub(super) fn shares(&self) -> impl Iterator<Item = (&Connector, f64)> {
        self.connectors
            .iter()
            .enumerate()
            .map(|(shard, connector)| (connector, self.ring.share(shard)))
    }
}
