//! Independent servers, each with its part of the keys.
//!
//! A lane writes to one shard only ([`Placement`](super::Placement)): a shard that is away stops
//! its own lanes and no others.

mod ring;
mod shards;

pub(super) use self::shards::Shards;
