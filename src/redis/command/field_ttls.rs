//! Fields with a TTL of their own. Pure.

use redis::Value;

use super::guard::ExpiringFields;
use super::packed::{PackedCommands, push_bulk, word_of};
use super::verdict::Unconfirmed;
use crate::profile::FieldTtl;

/// The fields of one write that have a TTL, by TTL: milliseconds, the number of names, and the
/// packed names.
pub(super) struct FieldTtls(Vec<(u64, u32, Vec<u8>)>);

impl FieldTtls {
    /// Finds the TTL of each of the packed `names`, which the first rule that matches gives.
    pub(super) fn of<'a>(rules: &[FieldTtl], names: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut ttls: Vec<(u64, u32, Vec<u8>)> = Vec::new();
        if rules.is_empty() {
            return Self(ttls);
        }
        for name in names {
            let Some(ttl) = FieldTtl::of_field(rules, word_of(name)) else { continue };
            let place = ttls.iter().position(|(known, ..)| *known == ttl).unwrap_or(ttls.len());
            if place == ttls.len() {
                ttls.push((ttl, 0, Vec::new()));
            }
            let (_, count, packed) = &mut ttls[place];
            *count += 1;
            packed.extend_from_slice(name);
        }
        Self(ttls)
    }

    /// For a script of the guard.
    pub(super) fn expiring(&self) -> Vec<ExpiringFields<'_>> {
        self.0
            .iter()
            .map(|(ttl, count, names)| ExpiringFields { ttl: *ttl, count: *count, names })
            .collect()
    }

    /// Appends one `HPEXPIRE` for each TTL. `key` is one packed word.
    pub(super) fn pack(&self, key: &[u8], out: &mut PackedCommands) {
        for (ttl, count, names) in &self.0 {
            out.begin(5 + u64::from(*count), b"$8\r\nHPEXPIRE\r\n");
            out.push_key(key);
            let mut words = Vec::with_capacity(48);
            push_bulk(&mut words, itoa::Buffer::new().format(*ttl).as_bytes());
            push_bulk(&mut words, b"FIELDS");
            push_bulk(&mut words, itoa::Buffer::new().format(*count).as_bytes());
            out.push(&words);
            out.push(names);
            out.end();
        }
    }
}

/// Reads the reply to one `HPEXPIRE`: a number for each field.
pub(super) fn judge(reply: &Value) -> Result<(), Unconfirmed<'_>> {
    match reply {
        Value::Array(_) => Ok(()),
        Value::ServerError(error) => Err(Unconfirmed::Error(error)),
        _ => Err(Unconfirmed::Mismatch),
    }
}
