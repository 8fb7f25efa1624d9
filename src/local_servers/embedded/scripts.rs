//! The scripts of this program, without Lua: which one is called, and with what. Pure.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::databases::Database;
use super::guard::{self, DeletionCall, EventCall};
use super::hash::{FieldPairs, Hash, Millis};
use super::key_end::{EndCondition, KeyEnd, KeyMoment};
use super::number::number;
use super::reply::RespReply;
use crate::redis::{Guard, GuardMode, KeyDeletion, ReplaceWrite, Script};

/// What a script does.
#[derive(Clone, Copy)]
enum NativeScript {
    Replace,
    Delete,
    Event { by_profile: bool },
    Deletion { by_profile: bool },
}

/// The scripts that are known. Neither of them says how the guard's fields are called.
static KNOWN: LazyLock<[(NativeScript, &'static Script); 6]> = LazyLock::new(|| {
    let [field, profile] =
        [GuardMode::Field, GuardMode::Profile].map(|mode| Guard::new(mode, "_ts"));
    [
        (NativeScript::Replace, ReplaceWrite::script()),
        (NativeScript::Delete, KeyDeletion::script()),
        (NativeScript::Event { by_profile: false }, field.event_script()),
        (NativeScript::Event { by_profile: true }, profile.event_script()),
        (NativeScript::Deletion { by_profile: false }, field.deletion_script()),
        (NativeScript::Deletion { by_profile: true }, profile.deletion_script()),
    ]
});

/// `SCRIPT LOAD text`
pub(super) fn load(text: &[u8]) -> RespReply {
    match KNOWN.iter().find(|(_, script)| script.source().as_bytes() == text) {
        Some((_, script)) => RespReply::bulk(script.sha()),
        None => RespReply::Error(
            "ERR the embedded store of traitsink runs no Lua: it knows only the scripts that \
             traitsink itself loads"
                .to_owned(),
        ),
    }
}

/// `EVALSHA sha 1 key argument ..`
pub(super) fn call(
    sha: &[u8],
    key: &[u8],
    arguments: &[&[u8]],
    now: Millis,
    database: &mut Database,
) -> RespReply {
    let is_called = |script: &Script| script.sha().as_bytes().eq_ignore_ascii_case(sha);
    let Some((script, _)) = KNOWN.iter().find(|(_, script)| is_called(script)) else {
        return RespReply::Error("NOSCRIPT No matching script. Please use EVAL.".to_owned());
    };
    let reply = match *script {
        NativeScript::Replace => database.change(key, |hash| replace(hash, arguments)),
        NativeScript::Delete => Some(i64::from(database.remove(key))),
        NativeScript::Event { by_profile } => event(by_profile, arguments)
            .map(|event| database.change(key, |hash| guard::apply(hash, &event, now))),
        NativeScript::Deletion { by_profile } => deletion(by_profile, arguments)
            .map(|deletion| database.change(key, |hash| guard::delete(hash, &deletion, now))),
    };
    reply.map_or_else(
        || RespReply::Error("ERR the script has other arguments".to_owned()),
        RespReply::Int,
    )
}

/// The fields become all that the hash has; its end stays.
fn replace(hash: &mut Hash, pairs: &[&[u8]]) -> Option<i64> {
    let pairs = as_pairs(pairs)?;
    pairs.iter().for_each(|(name, value)| _ = hash.set(name, value));
    let names: HashSet<&[u8]> = pairs.iter().map(|(name, _)| *name).collect();
    hash.retain(|name| names.contains(name));
    // The times are fields in Redis, and are replaced with them.
    hash.guard = None;
    i64::try_from(pairs.len()).ok()
}

/// Reads what `Guard::pack_event` packed.
fn event<'a>(by_profile: bool, arguments: &[&'a [u8]]) -> Option<EventCall<'a>> {
    let (options, words) = arguments.split_first()?;
    let options = CallOptions::read(options, words.len())?;
    let (pairs, rest) = words.split_at_checked(options.pair_words)?;
    let (removed, mut groups) = rest.split_at_checked(options.removed)?;
    // The last pairs are the guard's own: they tell the time.
    let (pairs, own) =
        pairs.split_at_checked(pairs.len().checked_sub(if by_profile { 2 } else { 4 })?)?;
    let time = own[1].strip_suffix(b"p").unwrap_or(own[1]);
    let mut field_ttls = Vec::new();
    for _ in 0..options.groups {
        let [ttl, count, rest @ ..] = groups else { return None };
        let (names, rest) = rest.split_at_checked(number(count)?)?;
        field_ttls.push((number(ttl)?, names.to_vec()));
        groups = rest;
    }
    Some(EventCall {
        mode: match (by_profile, options.replaces) {
            (false, _) => GuardMode::Field,
            (true, false) => GuardMode::Profile,
            (true, true) => GuardMode::ProfileReplace,
        },
        time: time_of(time)?,
        set: as_pairs(pairs)?,
        removed: removed.to_vec(),
        end: options.end,
        field_ttls,
        tombstone_ttl: options.tombstone_ttl,
    })
}

/// Reads what `Guard::pack_deletion` packed.
fn deletion(by_profile: bool, arguments: &[&[u8]]) -> Option<DeletionCall> {
    let [_, time, everything, tombstone_ttl] = arguments else { return None };
    Some(DeletionCall {
        by_profile,
        time: time_of(time)?,
        everything: *everything == b"1",
        tombstone_ttl: number(tombstone_ttl)?,
    })
}

/// The first argument of an event's call, as `lua/head.lua` reads it.
#[derive(Default)]
struct CallOptions {
    pair_words: usize,
    removed: usize,
    groups: usize,
    tombstone_ttl: u64,
    end: Option<KeyEnd>,
    replaces: bool,
}

impl CallOptions {
    /// `words`: the number of words behind the options.
    fn read(options: &[u8], words: usize) -> Option<Self> {
        let text = std::str::from_utf8(options).ok()?;
        if text.is_empty() {
            return Some(Self { pair_words: words, ..Self::default() });
        }
        let (text, replaces) = text.strip_suffix('=').map_or((text, false), |text| (text, true));
        let (text, once) = text.strip_suffix(" NX").map_or((text, false), |text| (text, true));
        let condition = if once { EndCondition::None } else { EndCondition::Always };
        let words: Vec<&str> = text.split(' ').collect();
        let [pair_words, removed, groups, tombstone_ttl, ms, command] = words[..] else {
            return None;
        };
        let moment = match command {
            "" => None,
            "PEXPIRE" => Some(KeyMoment::FromNow(ms.parse().ok()?)),
            "PEXPIREAT" => Some(KeyMoment::Since1970(ms.parse().ok()?)),
            _ => return None,
        };
        Some(Self {
            pair_words: pair_words.parse().ok()?,
            removed: removed.parse().ok()?,
            groups: groups.parse().ok()?,
            tombstone_ttl: tombstone_ttl.parse().ok()?,
            end: moment.map(|moment| KeyEnd { moment, condition }),
            replaces,
        })
    }
}

fn as_pairs<'a>(words: &[&'a [u8]]) -> Option<FieldPairs<'a>> {
    let (pairs, rest) = words.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|&[name, value]| (name, value)).collect())
}

/// A time, which has 13 digits.
fn time_of(word: &[u8]) -> Option<u64> {
    number(word).filter(|_| word.len() == 13)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words as the calls have them, and others.
    fn word() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop_oneof![
                Just(""),
                Just("_ts"),
                Just("0000000000005"),
                Just("9999999999999"),
                Just("9999999999999p"),
                Just("18446744073709551615"),
                Just("1"),
                Just("2 1 1 18446744073709551615 5 PEXPIRE NX="),
                Just("6 0 0 9 9223372036854775807 PEXPIRE"),
                Just("4 1 0 0 0 PEXPIREAT"),
                Just("2 0 0 0 0 ="),
            ]
            .prop_map(|text| text.as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..4),
        ]
    }

    proptest! {
        #[test]
        fn whatever_arguments_are_sent_there_is_an_answer(
            calls in proptest::collection::vec(
                (0..6usize, proptest::collection::vec(word(), 0..10)),
                1..20,
            ),
        ) {
            let mut database = Database::default();
            for (script, arguments) in &calls {
                let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
                let sha = KNOWN[*script].1.sha().as_bytes();
                let reply = call(sha, b"key", &arguments, 1_764_400_000_000, &mut database);
                prop_assert!(matches!(reply, RespReply::Int(_) | RespReply::Error(_)));
            }
        }
    }
}
