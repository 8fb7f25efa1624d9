//! Consistent hashing: which shard a key belongs to, whatever the order in which the shards are
//! listed. Pure.
//!
//! A shard has [`POINTS`] points on a ring of 2^64: XXH64 (seed 0) of `NAME-0`, `NAME-1` and so on,
//! where its name is `host:port/database`. A key belongs to the shard of the first point at or
//! after XXH64 of the key, going round.

use xxhash_rust::xxh64::xxh64;

/// Points of each shard: shares differ from each other by about 8 % of a share.
const POINTS: u32 = 160;

/// Points of all shards.
pub(super) struct Ring {
    /// Each point with the position of its shard in the list, in the order of the ring.
    points: Vec<(u64, usize)>,
}

impl Ring {
    /// Takes at least one name, each once.
    pub(super) fn new(names: &[String]) -> Self {
        let of_shard = |(shard, name): (usize, &String)| {
            let points: Vec<_> =
                (0..POINTS).map(|n| (xxh64(format!("{name}-{n}").as_bytes(), 0), shard)).collect();
            points
        };
        let mut points: Vec<_> = names.iter().enumerate().flat_map(of_shard).collect();
        // Where two points are equal, the name decides: the order of the list must not.
        points.sort_unstable_by_key(|&(point, shard)| (point, &names[shard]));
        Self { points }
    }

    /// The position in the list of the shard that `key` belongs to.
    pub(super) fn owner(&self, key: &[u8]) -> usize {
        let at = xxh64(key, 0);
        let next = self.points.partition_point(|&(point, _)| point < at);
        self.points.get(next).unwrap_or(&self.points[0]).1
    }

    /// The part of all keys that belongs to the shard at this position, from 0 to 1.
    pub(super) fn share(&self, shard: usize) -> f64 {
        let before = self.points.iter().cycle().skip(self.points.len() - 1);
        let arcs = self.points.iter().zip(before).filter(|((_, owner), _)| *owner == shard);
        let arcs: u128 =
            arcs.map(|((point, _), (before, _))| u128::from(point.wrapping_sub(*before))).sum();
        arcs as f64 / 2f64.powi(64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
        numbers.into_iter().map(|number| format!("shard-{number}:6379/0")).collect()
    }

    /// The name of the shard of each key.
    fn owners<'a>(names: &'a [String], keys: &[String]) -> Vec<&'a str> {
        let ring = Ring::new(names);
        keys.iter().map(|key| names[ring.owner(key.as_bytes())].as_str()).collect()
    }

    /// Profiles that were written must be found again: these may never change.
    #[test]
    fn keys_stay_where_they_are() {
        // Computed with xxhash in Python.
        let names =
            ["10.0.0.1:6379/0", "redis-b.example.org:6380/2", "[::1]:6379/0"].map(str::to_owned);
        let ring = Ring::new(&names);
        for (key, shard) in [
            ("user:1", 0),
            ("user:2", 0),
            ("user:3", 2),
            ("user:u-1", 1),
            ("user:jörg", 2),
            ("rudderstack:user:user-3", 2),
            ("user:{tag}.1", 1),
            ("user:", 0),
            ("user:a4e1c9f0-5d0b-4c53-9d8e-7f6a1f3b2c11", 1),
        ] {
            assert_eq!(ring.owner(key.as_bytes()), shard, "{key}");
        }
    }

    #[test]
    fn all_shards_have_about_the_same_share() {
        let ring = Ring::new(&names(0..5));
        let shares: Vec<f64> = (0..5).map(|shard| ring.share(shard)).collect();
        assert!(shares.iter().all(|share| (0.15..0.25).contains(share)), "{shares:?}");
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
        let owned = (0..10_000).filter(|n| ring.owner(format!("user:{n}").as_bytes()) == 0).count()
            as f64
            / 10_000.0;
        assert!((owned - shares[0]).abs() < 0.02, "{owned} of the keys, {} of the ring", shares[0]);
    }

    #[test]
    fn one_shard_has_everything() {
        let ring = Ring::new(&names([7]));
        assert_eq!((ring.owner(b"user:1"), ring.share(0)), (0, 1.0));
    }

    proptest! {
        #[test]
        fn the_order_of_the_list_moves_nothing(
            shuffled in Just((0..8).collect::<Vec<u32>>()).prop_shuffle(),
            keys in prop::collection::vec("[a-z0-9:{}]{0,20}", 1..50),
        ) {
            let (sorted, shuffled) = (names(0..8), names(shuffled));
            prop_assert_eq!(owners(&sorted, &keys), owners(&shuffled, &keys));
        }

        #[test]
        fn a_shard_that_goes_moves_its_own_keys_only(
            shards in 2u32..8,
            gone in 0u32..8,
            keys in prop::collection::vec("[a-z0-9:{}]{0,20}", 1..50),
        ) {
            let gone = gone % shards;
            let before = names(0..shards);
            let after = names((0..shards).filter(|number| *number != gone));
            let (was, is) = (owners(&before, &keys), owners(&after, &keys));
            for ((key, was), is) in keys.iter().zip(was).zip(is) {
                prop_assert!(was == before[gone as usize] || was == is, "{}", key);
            }
        }
    }
}
