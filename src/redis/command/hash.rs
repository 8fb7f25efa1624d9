//! `HSET key name value ..`, `HDEL key name ..` where fields are removed, and `HPEXPIRE` where
//! fields have a TTL. Pure.
//!
//! They are no transaction: in a cluster, nodes redirect inside of MULTI in ways that cannot be
//! told apart from failures. All can be repeated, so a half that was applied is made whole.

use redis::Value;

use super::expire::Expire;
use super::field_ttls::{self, FieldTtls};
use super::folded::Folded;
use super::packed::PackedCommands;
use super::part::UpdatePart;
use super::verdict::Unconfirmed;
use super::write_settings::WriteSettings;
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
        settings: &WriteSettings,
        key: &[u8],
        parts: impl Iterator<Item = UpdatePart<'a>>,
        out: &mut PackedCommands,
    ) {
        if self.removed > 0 || !settings.field_ttl.is_empty() {
            return pack_folded(&Folded::of(parts), &settings.field_ttl, key, out);
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

/// Appends `HSET`, `HDEL` and the TTLs of fields, as far as there is something for each.
fn pack_folded(folded: &Folded<'_>, rules: &[FieldTtl], key: &[u8], out: &mut PackedCommands) {
    let set = folded.set().count() as u64;
    let removed = folded.removed().count() as u64;
    if set > 0 {
        out.begin(2 + 2 * set, b"$4\r\nHSET\r\n");
        out.push_key(key);
        folded.set().for_each(|pair| out.push(pair));
        out.end();
    }
    if removed > 0 {
        out.begin(2 + removed, b"$4\r\nHDEL\r\n");
        out.push_key(key);
        folded.removed().for_each(|name| out.push(name));
        out.end();
    }
    FieldTtls::of(rules, folded.set_names()).pack(key, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redis::command::packed::{push_bulk, split_bulk};

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
            let HashWrite { fields, removed, .. } = *write;
            UpdatePart { fields, removed, payload }
        });
        whole.pack(&WriteSettings::default(), b"$1\r\nk\r\n", parts, &mut out);
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
