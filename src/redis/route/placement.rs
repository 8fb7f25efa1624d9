//! Which lane writes a key. Pure.

use std::sync::Arc;

use super::parts::{part, part_of};
use super::sharded::Shards;
use crate::redis::{SLOTS, slot_of};

/// The lane of each key, the same for as long as the process runs.
///
/// A lane owns a contiguous range of hash slots; where there are shards, each has lanes of its own,
/// and they own ranges of its keys.
#[derive(Clone)]
pub struct Placement {
    lanes: usize,
    shards: Option<Arc<Shards>>,
}

impl Placement {
    /// Scales the hash slot to the number of lanes.
    pub fn by_slot(lanes: usize) -> Self {
        Self { lanes, shards: None }
    }

    /// Gives each shard its part of the lanes; takes at least one lane for each shard.
    pub(super) fn by_shard(shards: Arc<Shards>, lanes: usize) -> Self {
        Self { lanes, shards: Some(shards) }
    }

    pub fn lanes(&self) -> usize {
        self.lanes
    }

    pub fn lane_of(&self, key: &[u8]) -> usize {
        let lanes = match &self.shards {
            None => 0..self.lanes,
            Some(shards) => part(shards.owner(key), shards.len(), self.lanes),
        };
        lanes.start + part_of(usize::from(slot_of(key)), SLOTS, lanes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_a_contiguous_range_of_slots() {
        let placement = Placement::by_slot(4);
        for key in 0..10_000 {
            let key = format!("user:{key}");
            let slot = usize::from(slot_of(key.as_bytes()));
            assert!(part(placement.lane_of(key.as_bytes()), 4, SLOTS).contains(&slot));
        }
    }
}
