//! `HSET key name value ..`, `HDEL key name ..` where fields are removed, and `HPEXPIRE` where fields
//! have a TTL. Pure.
//!
//! They are no transaction: in a cluster, nodes redirect inside of MULTI in ways that cannot be
//! told apart from failures. All can be repeated, so a half that was applied is made whole.

use hashbrown::HashMap;
use redis::Value;

use super::expire::Expire;
use super::field_ttls::{self, FieldTtls};
use super::forms::Forms;
use super::packed::{PackedCommands, split_bulk};
use super::verdict::Unconfirmed;
use super::write::Part;
use crate::profile::FieldTtl;

/// Fields of a hash to be set and removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashWrite {
    /// Pairs of a name and a value in the payload.
    pub fields: u32,
    /// Names behind them; with no pairs at least one.
    pub removed: u32,
    /// The end of the key.
    pub expire: Option<Expire>,
}

impl HashWrite {
    pub(super) fn join(self, later: Self) -> Self {
        Self {
            fields: self.fields + later.fields,
            removed: self.removed + later.removed,
            expire: Expire::join(self.expire, later.expire),
        }
    }

    pub(super) fn pack<'a>(
        self,
        forms: &Forms,
        key: &[u8],
        parts: impl Iterator<Item = Part<'a>>,
        out: &mut PackedCommands,
    ) {
        if self.removed > 0 || !forms.field_ttl.is_empty() {
            return Folded::of(parts).pack(key, &forms.field_ttl, out);
        }
        out.begin(2 + 2 * u64::from(self.fields), b"$4\r\nHSET\r\n");
        out.push_key(key);
        parts.for_each(|part| out.push(part.payload));
        out.end();
    }

    pub(super) fn judge(self, replies: &[Value]) -> Result<(), Unconfirmed<'_>> {
        if replies.is_empty() {
            return Err(Unconfirmed::Mismatch);
        }
        replies.iter().try_for_each(|reply| match reply {
            Value::Int(_) => Ok(()),
            _ => field_ttls::judge(reply),
        })
    }
}

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
    pub(super) fn of(parts: impl Iterator<Item = Part<'a>>) -> Self {
        let mut folded = Self { places: HashMap::new(), changes: Vec::new() };
        for part in parts {
            let (fields, removed) = part.write.counts();
            let mut rest = part.payload;
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

    /// Appends `HSET`, `HDEL` and the TTLs of fields, as far as there is something for each.
    fn pack(&self, key: &[u8], rules: &[FieldTtl], out: &mut PackedCommands) {
        let set = self.set().count() as u64;
        let removed = self.changes.len() as u64 - set;
        if set > 0 {
            out.begin(2 + 2 * set, b"$4\r\nHSET\r\n");
            out.push_key(key);
            self.set().for_each(|pair| out.push(pair));
            out.end();
        }
        if removed > 0 {
            out.begin(2 + removed, b"$4\r\nHDEL\r\n");
            out.push_key(key);
            self.removed().for_each(|name| out.push(name));
            out.end();
        }
        FieldTtls::of(rules, self.set_names()).pack(key, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redis::command::Write;
    use crate::redis::command::packed::push_bulk;

    fn part(fields: &[(&str, &str)], removed: &[&str]) -> (HashWrite, Vec<u8>) {
        let mut payload = Vec::new();
        for (name, value) in fields {
            push_bulk(&mut payload, name.as_bytes());
            push_bulk(&mut payload, value.as_bytes());
        }
        removed.iter().for_each(|name| push_bulk(&mut payload, name.as_bytes()));
        let (fields, removed) = (fields.len() as u32, removed.len() as u32);
        (HashWrite { fields, removed, expire: None }, payload)
    }

    /// The words of each command that is sent for `parts` as one write.
    fn commands(parts: &[(HashWrite, Vec<u8>)]) -> Vec<Vec<String>> {
        let whole = parts.iter().map(|(write, _)| *write).reduce(HashWrite::join).unwrap();
        let mut out = PackedCommands::default();
        let parts = parts.iter().map(|(write, payload)| {
            let write = Write::Hash(*write);
            Part { write, payload }
        });
        whole.pack(&Forms::default(), b"$1\r\nk\r\n", parts, &mut out);
        (0..out.len()).map(|number| words(out.command(number))).collect()
    }

    fn words(mut command: &[u8]) -> Vec<String> {
        let end = command.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        let count: usize =
            std::str::from_utf8(&command[1..end - 2]).unwrap().parse().expect("a count");
        command = &command[end..];
        let word = |bulk: &[u8]| {
            let start = bulk.iter().position(|&byte| byte == b'\n').unwrap() + 1;
            String::from_utf8(bulk[start..bulk.len() - 2].to_vec()).unwrap()
        };
        let words = (0..count).map(|_| word(split_bulk(&mut command))).collect();
        assert!(command.is_empty());
        words
    }

    #[test]
    fn the_last_change_of_each_field_counts() {
        let set = |name| part(&[(name, "1")], &[]);
        assert_eq!(commands(&[set("a"), set("a")]), [["HSET", "k", "a", "1", "a", "1"]]);
        assert_eq!(commands(&[part(&[], &["a", "b"])]), [["HDEL", "k", "a", "b"]]);
        assert_eq!(commands(&[set("a"), part(&[], &["a"])]), [["HDEL", "k", "a"]]);
        assert_eq!(commands(&[part(&[], &["a"]), set("a")]), [["HSET", "k", "a", "1"]]);
        assert_eq!(
            commands(&[part(&[("a", "1"), ("b", "1")], &["c"]), part(&[("c", "2")], &["b"])]),
            [vec!["HSET", "k", "a", "1", "c", "2"], vec!["HDEL", "k", "b"]]
        );
    }

    #[test]
    fn one_refused_command_refuses_the_write() {
        let (write, _) = part(&[("a", "1")], &["b"]);
        assert!(write.judge(&[Value::Int(1), Value::Int(0)]).is_ok());
        assert_eq!(write.judge(&[Value::Int(1), Value::Nil]), Err(Unconfirmed::Mismatch));
        assert_eq!(write.judge(&[]), Err(Unconfirmed::Mismatch));
    }

    proptest! {
        #[test]
        fn as_one_write_updates_have_the_effect_that_they_have_in_turn(
            updates in proptest::collection::vec(
                (proptest::collection::vec(0..6u8, 0..4), proptest::collection::vec(0..6u8, 0..3)),
                1..6,
            )
        ) {
            let mut model = std::collections::BTreeMap::new();
            let mut parts = Vec::new();
            for (number, (set, removed)) in updates.iter().enumerate() {
                let removed: Vec<String> = removed
                    .iter()
                    .filter(|name| !set.contains(name))
                    .map(|name| name.to_string())
                    .collect();
                let set: Vec<(String, String)> =
                    set.iter().map(|name| (name.to_string(), number.to_string())).collect();
                if set.is_empty() && removed.is_empty() {
                    continue;
                }
                model.extend(set.iter().cloned());
                removed.iter().for_each(|name| _ = model.remove(name));
                let set: Vec<(&str, &str)> = set.iter().map(|(n, v)| (&**n, &**v)).collect();
                let removed: Vec<&str> = removed.iter().map(|name| &**name).collect();
                parts.push(part(&set, &removed));
            }
            prop_assume!(!parts.is_empty());
            let mut hash = std::collections::BTreeMap::new();
            for command in commands(&parts) {
                match &*command[0] {
                    "HSET" => hash.extend(
                        command[2..].chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())),
                    ),
                    _ => command[2..].iter().for_each(|name| _ = hash.remove(name)),
                }
            }
            prop_assert_eq!(hash, model);
        }
    }
}
