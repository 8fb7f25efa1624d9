//! One Redis key and what is done with it, already in the form in which Redis reads it.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::bulk::{bulk_len, push_bulk, unbulk};
use super::entity_places::{EntityName, EntityPlaces};
use super::field_map::FieldMap;
use crate::profile::KeyPlaces;

/// One Redis key and its change, packed as RESP bulk strings: `$n\r\nKEY\r\n`, then for each field
/// `$n\r\nNAME\r\n$m\r\nVALUE\r\n`, in the order in which they must be written, then the name of
/// each field that is removed.
#[derive(Clone, PartialEq, Eq)]
pub struct Update {
    packed: Bytes,
    /// Where the bare key stands in `packed`.
    key: Range<u32>,
    places: KeyPlaces,
    fields: u32,
    removed: u32,
    action: Action,
    event_time: Option<i64>,
    at: Option<i64>,
    expiry: Option<Expiry>,
    /// Where the pieces of an entity's key stand; `None`: the key is not that of an entity.
    entity: Option<Box<EntityPlaces>>,
}

/// What is done with the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Action {
    /// Fields are set, and some removed; the others stay.
    #[default]
    Merge,
    /// The fields become all that the key holds.
    Replace,
    /// The key is deleted: the update has no fields. With a guard, what is newer stays.
    Delete,
    /// The key is deleted, also what is newer.
    Erase,
    /// A JSON document is merged with another one. The payload is the text of that, and then for
    /// each of `nulls` members that become null afterwards its JSONPath.
    MergeDocument { nulls: u32 },
    /// A JSON document becomes the one whose text is the payload.
    ReplaceDocument,
}

/// The end of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Milliseconds from the write on.
    After(u64),
    /// Milliseconds since the epoch.
    At(u64),
}

impl Update {
    /// Packs `key`, `fields` and the names of `removed` fields into one exact allocation;
    /// `event_time` is in milliseconds since the epoch.
    pub fn pack<'a>(
        key: &[u8],
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
        removed: impl Iterator<Item = &'a [u8]> + Clone,
        event_time: Option<i64>,
    ) -> Self {
        let size =
            fields.clone().map(|(name, value)| bulk_len(name) + bulk_len(value)).sum::<usize>()
                + removed.clone().map(bulk_len).sum::<usize>();
        let mut packed = Vec::with_capacity(bulk_len(key) + size);
        push_bulk(&mut packed, key);
        let end = packed.len() as u32 - 2;
        let (mut count, mut removals) = (0, 0);
        for (name, value) in fields {
            push_bulk(&mut packed, name);
            push_bulk(&mut packed, value);
            count += 1;
        }
        for name in removed {
            push_bulk(&mut packed, name);
            removals += 1;
        }
        Self::new(packed, end - key.len() as u32..end, [count, removals], event_time)
    }

    /// Packs `key`, the fields of `fields` and the names of its nulls into one exact allocation.
    pub(super) fn of_fields(key: &[u8], fields: &FieldMap, event_time: Option<i64>) -> Self {
        let mut size = bulk_len(key);
        fields.for_each_packed(|piece| size += piece.len());
        let mut packed = Vec::with_capacity(size);
        push_bulk(&mut packed, key);
        let end = packed.len() as u32 - 2;
        fields.for_each_packed(|piece| packed.extend_from_slice(piece));
        let counts = [fields.live(), fields.nulls()].map(|count| count as u32);
        Self::new(packed, end - key.len() as u32..end, counts, event_time)
    }

    fn new(
        packed: Vec<u8>,
        key: Range<u32>,
        [fields, removed]: [u32; 2],
        event_time: Option<i64>,
    ) -> Self {
        Self {
            packed: packed.into_boxed_slice().into(),
            key,
            places: KeyPlaces::default(),
            fields,
            removed,
            action: Action::default(),
            event_time,
            at: None,
            expiry: None,
            entity: None,
        }
    }

    /// Packs `key` and the text of a JSON document, and then the JSONPaths of members that become
    /// null. It has no fields.
    pub(super) fn pack_document<'a>(
        key: &[u8],
        text: &'a [u8],
        null_paths: impl Iterator<Item = &'a [u8]> + Clone,
        event_time: Option<i64>,
    ) -> Self {
        let words = std::iter::once(text).chain(null_paths);
        Self { removed: 0, ..Self::pack(key, std::iter::empty(), words, event_time) }
    }

    /// The same, with this action.
    pub fn doing(self, action: Action) -> Self {
        Self { action, ..self }
    }

    /// The same, guarded by its time in milliseconds since the epoch: what is newer in Redis stays.
    pub fn guarded(self, at: i64) -> Self {
        Self { at: Some(at), ..self }
    }

    /// The same, with this end of the key.
    pub fn expiring(self, expiry: Option<Expiry>) -> Self {
        Self { expiry, ..self }
    }

    /// The same, with these places of the pieces of its key.
    pub fn placed(self, places: KeyPlaces) -> Self {
        Self { places, ..self }
    }

    /// The id of the user as it stands in the key; `None`: the key is neither that of a user nor of
    /// an entity.
    pub fn user_id(&self) -> Option<&[u8]> {
        self.places.user(self.key()).or_else(|| self.entity().map(|entity| entity.user))
    }

    /// The prefix as it stands in the key; empty: there is none.
    pub fn prefix(&self) -> &[u8] {
        self.places.prefix(self.key())
    }

    /// The same, with the key of an entity.
    pub(super) fn of_entity(self, places: EntityPlaces) -> Self {
        Self { entity: Some(Box::new(places)), ..self }
    }

    /// The entity whose key it is; `None`: the key is that of a user, or of a group.
    pub fn entity(&self) -> Option<EntityName<'_>> {
        self.entity.as_ref().map(|places| places.name(self.key()))
    }

    /// The Redis key.
    pub fn key(&self) -> &[u8] {
        &self.packed[self.key.start as usize..self.key.end as usize]
    }

    /// The key as one RESP bulk string.
    pub fn packed_key(&self) -> &[u8] {
        &self.packed[..self.key.end as usize + 2]
    }

    /// All behind the key as RESP bulk strings: names and values, `2 * field_count()` of them, then
    /// `removed_count()` names.
    pub fn payload(&self) -> &[u8] {
        &self.packed[self.key.end as usize + 2..]
    }

    /// Fields that are set.
    pub fn field_count(&self) -> u32 {
        self.fields
    }

    /// Fields that are removed.
    pub fn removed_count(&self) -> u32 {
        self.removed
    }

    pub fn action(&self) -> Action {
        self.action
    }

    /// The event's own time, milliseconds since the epoch, when it had a readable one.
    pub fn event_time(&self) -> Option<i64> {
        self.event_time
    }

    /// The time by which the guard tells what is newer, milliseconds since the epoch; `None`: there
    /// is no guard.
    pub fn at(&self) -> Option<i64> {
        self.at
    }

    /// The end that the key gets; `None`: it keeps the one it has.
    pub fn expiry(&self) -> Option<Expiry> {
        self.expiry
    }

    /// The text of the JSON document that is written; `None`: fields are.
    pub fn document(&self) -> Option<&[u8]> {
        match self.action {
            Action::MergeDocument { .. } | Action::ReplaceDocument => {
                Some(unbulk(&mut self.payload()))
            }
            Action::Merge | Action::Replace | Action::Delete | Action::Erase => None,
        }
    }

    /// Moves its bytes to the end of `segment`, which must have room for [`Update::packed`].
    pub fn move_into(&mut self, segment: &mut BytesMut) {
        segment.extend_from_slice(&self.packed);
        self.packed = segment.split().freeze();
    }

    /// Moves its bytes out of the segment that it shares with others.
    pub fn move_out(&mut self) {
        self.packed = Bytes::copy_from_slice(&self.packed);
    }

    /// The key and all behind it.
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// Bytes this update holds in memory.
    pub fn cost(&self) -> usize {
        self.packed.len() + size_of::<Self>()
    }

    /// Names and values, in write order.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.payload();
        (0..self.fields).map(move |_| (unbulk(&mut rest), unbulk(&mut rest)))
    }

    /// Names of fields that are removed.
    pub fn removed(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.payload();
        (0..2 * self.fields).for_each(|_| _ = unbulk(&mut rest));
        (0..self.removed).map(move |_| unbulk(&mut rest))
    }
}

/// Keys and values are personal data: only sizes are shown.
impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Update")
            .field("fields", &self.fields)
            .field("bytes", &self.packed.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_can_be_read_back_and_fits_exactly() {
        let long = "x".repeat(1000);
        let fields: [(&[u8], &[u8]); 4] = [
            (b"", b""),
            (b"a\r\n", b"$3\r\n"),
            (b"n", &long.as_bytes()[..99]),
            (b"l", long.as_bytes()),
        ];
        let removed: [&[u8]; 2] = [b"", b"gone"];
        let update =
            Update::pack(b"user:1", fields.into_iter(), removed.into_iter(), Some(7)).guarded(8);
        assert_eq!(
            (update.key(), update.field_count(), update.removed_count()),
            (b"user:1".as_slice(), 4, 2)
        );
        assert_eq!((update.event_time(), update.at(), update.expiry()), (Some(7), Some(8), None));
        assert_eq!(update.packed_key(), b"$6\r\nuser:1\r\n");
        assert!(update.payload().starts_with(b"$0\r\n\r\n$0\r\n\r\n$3\r\na\r\n\r\n"));
        assert!(update.payload().ends_with(b"\r\n$0\r\n\r\n$4\r\ngone\r\n"));
        assert_eq!(update.fields().collect::<Vec<_>>(), fields);
        assert_eq!(update.removed().collect::<Vec<_>>(), removed);
        let size =
            fields.iter().map(|(name, value)| bulk_len(name) + bulk_len(value)).sum::<usize>()
                + removed.iter().map(|name| bulk_len(name)).sum::<usize>();
        assert_eq!(update.payload().len(), size);
    }
}
