//! Where the pieces of an entity's key stand in it.

use std::ops::Range;

/// Where the entity, the type of id and the user stand in a key. A piece may hold colons, so that a
/// key alone does not show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntityPlaces {
    pub(super) entity: Range<usize>,
    pub(super) id_type: Range<usize>,
    pub(super) user: Range<usize>,
}

/// The entity that a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityName<'a> {
    pub entity: &'a [u8],
    pub id_type: &'a [u8],
    pub user: &'a [u8],
}

impl EntityPlaces {
    pub(super) fn name<'a>(&self, key: &'a [u8]) -> EntityName<'a> {
        EntityName {
            entity: &key[self.entity.clone()],
            id_type: &key[self.id_type.clone()],
            user: &key[self.user.clone()],
        }
    }
}
