//! The shards, and which keys each of them has.

use super::ring::Ring;
use crate::config::Shard;
use crate::redis::route::parts::part_of;
use crate::redis::route::survey::Servers;
use crate::redis::wire::address_of;
use crate::redis::{ConnectionSettings, Connector};
use crate::tls::TlsError;

/// All shards.
pub struct Shards {
    connectors: Vec<Connector>,
    ring: Ring,
}

impl Shards {
    /// Takes at least one shard, each listed once. Reads the PEM files; connects to nothing.
    pub(in crate::redis::route) fn new(
        settings: &ConnectionSettings,
        shards: &[Shard],
    ) -> Result<Self, TlsError> {
        let any = Connector::new(settings, address_of(&shards[0].node))?;
        let names: Vec<String> = shards.iter().map(ToString::to_string).collect();
        let connectors =
            shards.iter().map(|shard| any.to(&shard.node).in_database(shard.database)).collect();
        Ok(Self { connectors, ring: Ring::new(&names) })
    }

    /// A connector to any of them.
    pub(in crate::redis::route) fn base(&self) -> &Connector {
        &self.connectors[0]
    }

    /// The number of shards.
    pub(in crate::redis::route) fn len(&self) -> usize {
        self.connectors.len()
    }

    /// The number of the shard that `key` belongs to.
    pub(in crate::redis::route) fn owner(&self, key: &[u8]) -> usize {
        self.ring.owner(key)
    }

    /// A connector to the shard that `key` belongs to.
    pub(in crate::redis::route) fn of_key(&self, key: &[u8]) -> &Connector {
        &self.connectors[self.owner(key)]
    }

    /// A connector to the shard that the lane `number` of `lanes` writes to.
    pub(in crate::redis::route) fn of_lane(&self, (number, lanes): (usize, usize)) -> &Connector {
        &self.connectors[part_of(number, lanes, self.len())]
    }

    /// All shards, each with its part of all keys.
    pub(in crate::redis::route) fn servers(&self) -> Servers {
        let keys = |shard| format!("{:.1} %", 100.0 * self.ring.share(shard));
        let shards = self.connectors.iter().enumerate();
        let primaries = shards
            .map(|(shard, connector)| (connector.clone(), vec![("keys", keys(shard))]))
            .collect();
        Servers { primaries, replicas: Vec::new(), missing: Vec::new() }
    }
}
