//! The end of a key: the commands of Redis that give one, take it and ask for it. Pure.

use super::databases::Database;
use super::hash::{Hash, Millis};
use super::number::number;
use super::reply::RespReply;

/// An end that is given to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyEnd {
    pub(super) moment: KeyMoment,
    pub(super) condition: EndCondition,
}

/// When a key ends, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyMoment {
    FromNow(i64),
    Since1970(i64),
}

/// Which keys are given an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndCondition {
    Always,
    /// `NX`: the key has none.
    None,
    /// `XX`: the key has one.
    Some,
    /// `GT`: it ends later than it did. Without an end that is never.
    Later,
    /// `LT`: it ends sooner than it did.
    Sooner,
}

impl KeyEnd {
    /// Gives a hash its end, if its condition holds.
    pub(super) fn give(self, hash: &mut Hash, now: Millis) {
        let end = self.moment.at(now).unwrap_or(Millis::MAX);
        if self.condition.holds(hash.end, end) {
            hash.end = Some(end);
        }
    }
}

impl KeyMoment {
    /// `None`: later than can be counted.
    fn at(self, now: Millis) -> Option<Millis> {
        let moment = match self {
            Self::FromNow(ms) => i64::try_from(now).ok()?.checked_add(ms)?,
            Self::Since1970(ms) => ms,
        };
        Some(u64::try_from(moment).unwrap_or(0))
    }
}

impl EndCondition {
    fn read(options: &[&[u8]]) -> Option<Self> {
        match options {
            [] => Some(Self::Always),
            [option] => match option.to_ascii_uppercase().as_slice() {
                b"NX" => Some(Self::None),
                b"XX" => Some(Self::Some),
                b"GT" => Some(Self::Later),
                b"LT" => Some(Self::Sooner),
                _ => None,
            },
            _ => None,
        }
    }

    fn holds(self, before: Option<Millis>, end: Millis) -> bool {
        match self {
            Self::Always => true,
            Self::None => before.is_none(),
            Self::Some => before.is_some(),
            Self::Later => before.is_some_and(|before| end > before),
            Self::Sooner => before.is_none_or(|before| end < before),
        }
    }
}

/// `EXPIRE`, `PEXPIRE`, `EXPIREAT` or `PEXPIREAT`, which is `command`: `key time [NX|XX|GT|LT]`
pub(super) fn expire(
    command: &str,
    [key, time]: [&[u8]; 2],
    options: &[&[u8]],
    now: Millis,
    database: &mut Database,
) -> RespReply {
    let Some(time) = number::<i64>(time) else { return not_a_number() };
    let unit = if command.starts_with('P') { 1 } else { 1000 };
    let moment = time.checked_mul(unit).map(|ms| {
        if command.ends_with("AT") { KeyMoment::Since1970(ms) } else { KeyMoment::FromNow(ms) }
    });
    let Some(end) = moment.and_then(|moment| moment.at(now)) else {
        let command = command.to_lowercase();
        return RespReply::Error(format!("ERR invalid expire time in '{command}' command"));
    };
    let Some(condition) = EndCondition::read(options) else {
        return RespReply::Error("ERR Unsupported option: at most one of NX, XX, GT, LT".into());
    };
    let has_one = database.get(key).filter(|hash| condition.holds(hash.end, end)).is_some();
    if has_one {
        database.change(key, |hash| hash.end = Some(end));
    }
    RespReply::Int(has_one.into())
}

/// `TTL` or `PTTL`, which is `command`: `key`
pub(super) fn ttl(command: &str, key: &[u8], now: Millis, database: &Database) -> RespReply {
    let end = database.get(key).map(|hash| hash.end);
    RespReply::Int(left(command == "PTTL", end, now))
}

/// `PERSIST key`
pub(super) fn persist(key: &[u8], database: &mut Database) -> RespReply {
    RespReply::Int(database.change(key, |hash| hash.end.take()).is_some().into())
}

/// `HEXPIRE` or `HPEXPIRE`, which is `command`: `key time FIELDS count name ..`
pub(super) fn expire_fields(
    command: &str,
    [key, time]: [&[u8]; 2],
    fields: &[&[u8]],
    now: Millis,
    database: &mut Database,
) -> RespReply {
    let Some(time) = number::<u64>(time) else {
        return not_a_number();
    };
    let Some(names) = names(fields) else { return wrong_fields() };
    let unit = if command == "HPEXPIRE" { 1 } else { 1000 };
    let end = now.saturating_add(time.saturating_mul(unit));
    let give = |hash: &mut Hash, name: &[u8]| match (end > now, hash.field_end(name).is_some()) {
        (_, false) => -2,
        (true, true) => i64::from(hash.end_field(name, end)),
        (false, true) => 1 + i64::from(hash.remove(name)),
    };
    let replies =
        database.change(key, |hash| names.iter().map(|name| give(hash, name)).collect::<Vec<_>>());
    RespReply::Array(replies.into_iter().map(RespReply::Int).collect())
}

/// `HTTL` or `HPTTL`, which is `command`: `key FIELDS count name ..`
pub(super) fn field_ttls(
    command: &str,
    key: &[u8],
    fields: &[&[u8]],
    now: Millis,
    database: &Database,
) -> RespReply {
    let Some(names) = names(fields) else { return wrong_fields() };
    let hash = database.get(key);
    let end = |name: &&[u8]| hash.and_then(|hash| hash.field_end(name));
    let ttl = |name| RespReply::Int(left(command == "HPTTL", end(name), now));
    RespReply::Array(names.iter().map(ttl).collect())
}

/// What is left until an end; -1 without one, and -2 where there is nothing that could have one.
fn left(in_ms: bool, end: Option<Option<Millis>>, now: Millis) -> i64 {
    let Some(end) = end else { return -2 };
    let Some(end) = end else { return -1 };
    let ms = i64::try_from(end.saturating_sub(now)).unwrap_or(i64::MAX);
    if in_ms { ms } else { ms / 1000 + i64::from(ms % 1000 >= 500) }
}

/// The names behind `FIELDS count`.
fn names<'a>(fields: &'a [&'a [u8]]) -> Option<&'a [&'a [u8]]> {
    let [word, count, names @ ..] = fields else { return None };
    let count: usize = number(count)?;
    let is_right =
        word.eq_ignore_ascii_case(b"FIELDS") && !names.is_empty() && count == names.len();
    is_right.then_some(names)
}

fn not_a_number() -> RespReply {
    RespReply::Error("ERR value is not an integer or out of range".to_owned())
}

fn wrong_fields() -> RespReply {
    RespReply::Error("ERR write FIELDS, the number of fields, and their names".to_owned())
}
