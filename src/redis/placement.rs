//! Which lane writes a key. Pure.

use std::ops::Range;
use std::sync::Arc;

use super::sharded::Shards;
use super::{SLOTS, slot_of};

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
    /// The hash slot scaled to the number of lanes.
    pub fn by_slot(lanes: usize) -> Self {
        Self { lanes, shards: None }
    }

    /// At least one lane for each shard.
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

/// What the part `number` of equal `parts` has of `whole`.
pub(super) fn part(number: usize, parts: usize, whole: usize) -> Range<usize> {
    (number * whole).div_ceil(parts)..((number + 1) * whole).div_ceil(parts)
}

/// The part of equal `parts` that has `at` of `whole`.
pub(super) fn part_of(at: usize, whole: usize, parts: usize) -> usize {
    at * parts / whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_whole_in_turn() {
        for (parts, whole) in [(1, 1), (3, 3), (3, 4), (4, 13), (12, SLOTS), (1024, SLOTS)] {
            let ends: Vec<usize> =
                (0..parts).map(|number| part(number, parts, whole).end).collect();
            assert_eq!((part(0, parts, whole).start, ends[parts - 1]), (0, whole));
            for at in 0..whole {
                assert!(
                    part(part_of(at, whole, parts), parts, whole).contains(&at),
                    "{at} of {whole} in {parts}"
                );
            }
        }
    }

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
