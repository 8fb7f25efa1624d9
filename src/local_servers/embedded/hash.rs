//! One hash: its fields, its end, those of its fields, and what the guard knows of it. Pure.

use std::collections::BTreeSet;

use super::guard_times::GuardTimes;
use super::ordered::Ordered;

/// Milliseconds since 1970.
pub(super) type Millis = u64;

/// Names and values.
pub(super) type FieldPairs<'a> = Vec<(&'a [u8], &'a [u8])>;

/// One hash.
#[derive(Default)]
pub(super) struct Hash {
    fields: Ordered<HashField>,
    /// The ends of fields, with their names.
    field_ends: BTreeSet<(Millis, Vec<u8>)>,
    /// When it ends.
    pub(super) end: Option<Millis>,
    /// `None`: no script of the guard has written it. With times a hash without fields exists, too.
    pub(super) guard: Option<GuardTimes>,
}

#[derive(Default)]
struct HashField {
    value: Vec<u8>,
    end: Option<Millis>,
}

impl Hash {
    /// Number of fields.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether nothing keeps it in the store.
    pub(super) fn is_gone(&self) -> bool {
        self.fields.len() == 0 && self.guard.is_none()
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields.get(name).map(|field| field.value.as_slice())
    }

    /// Names and values, in the order in which they were first set.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(name, field)| (name, field.value.as_slice()))
    }

    /// As [`Ordered::scan`].
    pub(super) fn scan(&self, cursor: u64, count: usize) -> (u64, FieldPairs<'_>) {
        let (next, found) = self.fields.scan(cursor, count);
        (next, found.into_iter().map(|(name, field)| (name, field.value.as_slice())).collect())
    }

    /// Sets a field, which has no end then. True when it is new.
    pub(super) fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        let before = self.fields.len();
        let field = self.fields.get_or_insert(name);
        field.value = value.to_vec();
        if let Some(end) = field.end.take() {
            self.field_ends.remove(&(end, name.to_vec()));
        }
        self.fields.len() > before
    }

    /// True when the field was there.
    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let Some(field) = self.fields.remove(name) else { return false };
        if let Some(end) = field.end {
            self.field_ends.remove(&(end, name.to_vec()));
        }
        true
    }

    /// Removes all fields but those that `keep` takes; returns how many.
    pub(super) fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) -> usize {
        let names = self.fields.iter().map(|(name, _)| name).filter(|name| !keep(name));
        let names: Vec<Vec<u8>> = names.map(<[u8]>::to_vec).collect();
        names.iter().for_each(|name| _ = self.remove(name));
        names.len()
    }

    /// The end of a field; `None`: there is no such field.
    pub(super) fn field_end(&self, name: &[u8]) -> Option<Option<Millis>> {
        self.fields.get(name).map(|field| field.end)
    }

    /// Gives a field an end. False when there is no such field.
    pub(super) fn end_field(&mut self, name: &[u8], end: Millis) -> bool {
        let Some(field) = self.fields.get_mut(name) else { return false };
        if let Some(before) = field.end.replace(end) {
            self.field_ends.remove(&(before, name.to_vec()));
        }
        self.field_ends.insert((end, name.to_vec()));
        true
    }

    /// When it, or its next field, ends.
    pub(super) fn next_end(&self) -> Option<Millis> {
        let field = self.field_ends.first().map(|(end, _)| *end);
        self.end.into_iter().chain(field).min()
    }

    /// Removes what ends until `now`.
    pub(super) fn remove_ended(&mut self, now: Millis) {
        if self.end.is_some_and(|end| end <= now) {
            *self = Self::default();
        }
        while let Some((end, name)) = self.field_ends.pop_first() {
            if end > now {
                self.field_ends.insert((end, name));
                break;
            }
            self.fields.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_end_unless_they_are_set_again() {
        let mut hash = Hash::default();
        for name in [b"a", b"b", b"c"] {
            assert!(hash.set(name, b"1") && hash.end_field(name, 5));
        }
        assert!(!hash.end_field(b"d", 5) && !hash.set(b"a", b"2"));
        assert!(hash.end_field(b"b", 9) && hash.remove(b"c"));
        assert_eq!((hash.next_end(), hash.field_end(b"a")), (Some(9), Some(None)));
        hash.remove_ended(8);
        assert_eq!((hash.len(), hash.field_end(b"b")), (2, Some(Some(9))));
        hash.remove_ended(9);
        assert_eq!(hash.fields().collect::<Vec<_>>(), [(&b"a"[..], &b"2"[..])]);
        assert_eq!((hash.next_end(), hash.is_gone()), (None, false));
        hash.end = Some(10);
        hash.remove_ended(10);
        assert!(hash.is_gone());
    }
}
