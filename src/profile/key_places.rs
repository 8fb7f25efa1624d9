//! Where the pieces of a Redis key stand in it.

use std::ops::Range;

/// Where a key's prefix and the id of its user stand in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPlaces {
    prefix: Range<u32>,
    /// Empty when the key is not that of a user.
    user: Range<u32>,
}

impl KeyPlaces {
    /// Bytes of the key; `prefix` is without the colon, empty when there is none.
    pub fn new(prefix: Range<usize>, user: Range<usize>) -> Self {
        let place = |range: Range<usize>| range.start as u32..range.end as u32;
        Self { prefix: place(prefix), user: place(user) }
    }

    /// The same for the key of a group.
    pub fn of_group(self) -> Self {
        Self { user: 0..0, ..self }
    }

    /// The prefix in `key`.
    pub fn prefix<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        &key[self.prefix.start as usize..self.prefix.end as usize]
    }

    /// The id of the user in `key`.
    pub fn user<'a>(&self, key: &'a [u8]) -> Option<&'a [u8]> {
        let user = &key[self.user.start as usize..self.user.end as usize];
        (!user.is_empty()).then_some(user)
    }
}
