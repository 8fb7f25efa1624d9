//! Packs the calls of the guard's scripts. Pure.

use super::event::{ExpiryMoment, GuardedDeletion, GuardedEvent};
use super::note_id::note_id;
use super::scripts::{FIELD_DELETION, FIELD_EVENT, PROFILE_DELETION, PROFILE_EVENT};
use crate::redis::command::packed::{PackedCommands, push_bulk};
use crate::redis::command::script::Script;

/// The latest time that can be kept: 13 digits, also one millisecond later.
const MAX_TIME: u64 = 9_999_999_999_998;

/// What the newest time decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardMode {
    /// Each field.
    Field,
    /// The profile. An event changes the fields it names.
    Profile,
    /// The profile, which becomes the newest event's fields.
    ProfileReplace,
}

/// Keeps an older event from overwriting a newer one.
#[derive(Debug)]
pub struct Guard {
    mode: GuardMode,
    /// With what the names of the guard's fields begin.
    time_field: String,
    /// The same, packed.
    packed_time_field: Vec<u8>,
}

impl Guard {
    /// The commands that an ACL must allow, those inside the scripts, too. Fields with a TTL need
    /// [`Guard::FIELD_TTL_ACL`], too.
    pub const ACL: &str = "+evalsha +script|load +del +hdel +hexists +hget +hkeys +hlen +hmget \
                           +hset +persist +pexpire +pexpireat +pttl";
    pub const FIELD_TTL_ACL: &str = "+hpexpire";

    /// `time_field`: not empty.
    pub fn new(mode: GuardMode, time_field: &str) -> Self {
        let mut packed_time_field = Vec::new();
        push_bulk(&mut packed_time_field, time_field.as_bytes());
        Self { mode, time_field: time_field.to_owned(), packed_time_field }
    }

    /// The script that [`Guard::pack_event`] calls.
    pub fn event_script(&self) -> &'static Script {
        match self.mode {
            GuardMode::Field => &FIELD_EVENT,
            GuardMode::Profile | GuardMode::ProfileReplace => &PROFILE_EVENT,
        }
    }

    /// The script that [`Guard::pack_deletion`] calls.
    pub fn deletion_script(&self) -> &'static Script {
        match self.mode {
            GuardMode::Field => &FIELD_DELETION,
            GuardMode::Profile | GuardMode::ProfileReplace => &PROFILE_DELETION,
        }
    }

    /// Every script that a server must have.
    pub fn scripts(&self) -> [&'static Script; 2] {
        [self.event_script(), self.deletion_script()]
    }

    /// Appends one command. `key` is one packed word; `set` are packed names and values; `removed`
    /// are packed names, none of them in `set`. Of a name that `set` has twice the last value counts.
    pub fn pack_event<'a>(
        &self,
        key: &[u8],
        event: &GuardedEvent<'_>,
        set: impl Iterator<Item = &'a [u8]> + Clone,
        removed: impl Iterator<Item = &'a [u8]> + Clone,
        out: &mut PackedCommands,
    ) {
        let time = time_digits(event.time);
        let by_field = self.mode == GuardMode::Field;
        let pair_words = 2 * u64::from(event.fields) + if by_field { 4 } else { 2 };
        let options = self.options(event, pair_words);
        let ttl_words: u64 = event.field_ttls.iter().map(|ttl| 2 + u64::from(ttl.count)).sum();
        let arguments = 1 + pair_words + u64::from(event.removed) + ttl_words;
        self.event_script().begin(key, arguments, out);
        out.push_word(options.as_bytes());
        set.clone().for_each(|piece| out.push(piece));
        out.push(&self.packed_time_field);
        if by_field {
            let names = set.flat_map(|piece| Words(piece).step_by(2));
            let id = note_id(names.chain(removed.clone().flat_map(Words)));
            out.push_word(&time);
            out.push_joined(&[self.time_field.as_bytes(), b":", &id]);
            out.push_word(&time);
        } else {
            out.push_joined(&[&time, b"p"]);
        }
        removed.for_each(|piece| out.push(piece));
        for fields in event.field_ttls {
            out.push_word(itoa::Buffer::new().format(fields.ttl).as_bytes());
            out.push_word(itoa::Buffer::new().format(fields.count).as_bytes());
            out.push(fields.names);
        }
        out.end();
    }

    /// Appends one command. `key` is one packed word.
    pub fn pack_deletion(&self, key: &[u8], deletion: GuardedDeletion, out: &mut PackedCommands) {
        self.deletion_script().begin(key, 4, out);
        out.push(&self.packed_time_field);
        out.push_word(&time_digits(deletion.time));
        out.push_word(if deletion.everything { b"1" } else { b"0" });
        out.push_word(itoa::Buffer::new().format(deletion.tombstone_ttl).as_bytes());
        out.end();
    }

    /// The first argument; `lua/head.lua` reads it.
    fn options(&self, event: &GuardedEvent<'_>, pair_words: u64) -> String {
        let replaces = self.mode == GuardMode::ProfileReplace;
        let &GuardedEvent { removed, expiry, field_ttls, tombstone_ttl, .. } = event;
        if removed == 0 && expiry.is_none() && field_ttls.is_empty() && !replaces {
            return String::new();
        }
        let (command, ms) = match expiry.map(|expiry| expiry.moment) {
            None => ("", 0),
            Some(ExpiryMoment::After(ms)) => ("PEXPIRE", ms),
            Some(ExpiryMoment::At(ms)) => ("PEXPIREAT", ms),
        };
        let once = if expiry.is_some_and(|expiry| expiry.once) { " NX" } else { "" };
        let replace = if replaces { "=" } else { "" };
        let groups = field_ttls.len();
        format!("{pair_words} {removed} {groups} {tombstone_ttl} {ms} {command}{once}{replace}")
    }
}

/// A time as 13 digits.
fn time_digits(time: u64) -> [u8; 13] {
    let mut digits = *b"0000000000000";
    let mut buffer = itoa::Buffer::new();
    let short = buffer.format(time.min(MAX_TIME)).as_bytes();
    digits[13 - short.len()..].copy_from_slice(short);
    digits
}

/// The texts of packed words.
#[derive(Clone)]
struct Words<'a>(&'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let line = memchr::memchr(b'\n', self.0)?;
        let digits = self.0.get(1..line.checked_sub(1)?)?;
        let length = digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit & 15));
        let word = self.0.get(line + 1..line + 1 + length)?;
        self.0 = self.0.get(line + length + 3..).unwrap_or_default();
        Some(word)
    }
}
