//! What several updates to one key come to. Pure.

use hashbrown::HashMap;

use super::packed::split_bulk;
use super::part::UpdatePart;

/// What several updates to one key come to, each field by its packed name, in the order of first
/// appearance.
pub(super) struct Folded<'a> {
    /// Where each name stands in `changes`.
    places: HashMap<&'a [u8], usize>,
    changes: Vec<FieldChange<'a>>,
}

/// The last change of one field.
struct FieldChange<'a> {
    /// Packed.
    name: &'a [u8],
    /// The packed name and value; `None`: the field is removed.
    pair: Option<&'a [u8]>,
}

impl<'a> Folded<'a> {
    pub(super) fn of(parts: impl Iterator<Item = UpdatePart<'a>>) -> Self {
        let mut folded = Self { places: HashMap::new(), changes: Vec::new() };
        for part in parts {
            let UpdatePart { fields, removed, payload: mut rest } = part;
            for _ in 0..fields {
                let from = rest;
                let name = split_bulk(&mut rest);
                let value = split_bulk(&mut rest);
                let pair = Some(&from[..name.len() + value.len()]);
                folded.change(FieldChange { name, pair });
            }
            for _ in 0..removed {
                folded.change(FieldChange { name: split_bulk(&mut rest), pair: None });
            }
        }
        folded
    }

    fn change(&mut self, change: FieldChange<'a>) {
        let place = *self.places.entry(change.name).or_insert(self.changes.len());
        match self.changes.get_mut(place) {
            Some(before) => *before = change,
            None => self.changes.push(change),
        }
    }

    /// The packed names and values of the fields that are set.
    pub(super) fn set(&self) -> impl Iterator<Item = &'a [u8]> {
        self.changes.iter().filter_map(|change| change.pair)
    }

    /// The packed names of the fields that are set.
    pub(super) fn set_names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.changes.iter().filter(|change| change.pair.is_some()).map(|change| change.name)
    }

    /// The packed names of the fields that are removed.
    pub(super) fn removed(&self) -> impl Iterator<Item = &'a [u8]> {
        self.changes.iter().filter(|change| change.pair.is_none()).map(|change| change.name)
    }
}
