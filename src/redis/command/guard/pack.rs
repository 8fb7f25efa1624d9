//! Packs the calls of the guard's scripts. Pure.

use super::event::{GuardedDeletion, GuardedEvent};
use super::note_id::note_id;
use super::scripts::{FIELD_DELETION, FIELD_EVENT, PROFILE_DELETION, PROFILE_EVENT};
use crate::event::Expiry;
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
    /// are packed names, none of them in `set`. Of a name that `set` has twice the last value
    /// counts.
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
        let (command, ms) = match expiry.map(|expiry| expiry.expiry) {
            None => ("", 0),
            Some(Expiry::After(ms)) => ("PEXPIRE", ms),
            Some(Expiry::At(ms)) => ("PEXPIREAT", ms),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::command::{Expire, ExpiringFields};

    const EVENT: GuardedEvent<'_> = GuardedEvent {
        time: 1_764_400_000_000,
        fields: 2,
        removed: 0,
        expiry: None,
        field_ttls: &[],
        tombstone_ttl: 5,
    };
    /// Two updates of the same time.
    const SET: [&[u8]; 2] = [b"$1\r\na\r\n$2\r\n\r\n\r\n", b"$1\r\nb\r\n$0\r\n\r\n"];

    fn packed(guard: &Guard, event: &GuardedEvent<'_>, removed: &[&[u8]]) -> Vec<u8> {
        let mut out = PackedCommands::default();
        let removed = removed.iter().copied();
        guard.pack_event(b"$6\r\nuser:1\r\n", event, SET.into_iter(), removed, &mut out);
        assert_eq!((out.len(), &out.bytes()[out.last_key()]), (1, b"user:1".as_slice()));
        out.bytes().to_vec()
    }

    fn call(script: &Script, arguments: &[&str]) -> Vec<u8> {
        redis::cmd("EVALSHA")
            .arg(script.sha())
            .arg(1)
            .arg("user:1")
            .arg(arguments)
            .get_packed_command()
    }

    /// The name of the note for these fields.
    fn note(names: &[&str]) -> String {
        let id = note_id(names.iter().map(|name| name.as_bytes()));
        format!("_ts:{}", std::str::from_utf8(&id).expect("a text"))
    }

    #[test]
    fn an_event_is_its_fields_and_its_time() {
        let time = "1764400000000";
        let guard = Guard::new(GuardMode::Field, "_ts");
        let expected = ["", "a", "\r\n", "b", "", "_ts", time, &note(&["a", "b"]), time];
        assert_eq!(packed(&guard, &EVENT, &[]), call(&FIELD_EVENT, &expected));

        let guard = Guard::new(GuardMode::Profile, "_ts");
        let expected = ["", "a", "\r\n", "b", "", "_ts", "1764400000000p"];
        assert_eq!(packed(&guard, &EVENT, &[]), call(&PROFILE_EVENT, &expected));

        let guard = Guard::new(GuardMode::ProfileReplace, "_ts");
        let expected = ["6 0 0 5 0 =", "a", "\r\n", "b", "", "_ts", "1764400000000p"];
        assert_eq!(packed(&guard, &EVENT, &[]), call(&PROFILE_EVENT, &expected));
    }

    #[test]
    fn removals_and_ttls_follow_the_fields() {
        let guard = Guard::new(GuardMode::Field, "_ts");
        let expiry = Some(Expire { expiry: Expiry::After(60_000), once: true });
        let event = GuardedEvent {
            time: 7,
            removed: 2,
            expiry,
            field_ttls: &[
                ExpiringFields { ttl: 9, count: 1, names: b"$1\r\na\r\n" },
                ExpiringFields { ttl: 8, count: 1, names: b"$1\r\nb\r\n" },
            ],
            ..EVENT
        };
        let (time, note) = ("0000000000007", note(&["a", "b", "c", "d"]));
        let options = "8 2 2 5 60000 PEXPIRE NX";
        let expected = [
            options, "a", "\r\n", "b", "", "_ts", time, &note, time, "c", "d", "9", "1", "a", "8",
            "1", "b",
        ];
        let removed: [&[u8]; 1] = [b"$1\r\nc\r\n$1\r\nd\r\n"];
        assert_eq!(packed(&guard, &event, &removed), call(&FIELD_EVENT, &expected));

        let guard = Guard::new(GuardMode::Profile, "time");
        let expiry = Some(Expire { expiry: Expiry::At(99), once: false });
        let event = GuardedEvent { time: u64::MAX, expiry, ..EVENT };
        let options = "6 0 0 5 99 PEXPIREAT";
        let expected = [options, "a", "\r\n", "b", "", "time", "9999999999998p"];
        assert_eq!(packed(&guard, &event, &[]), call(&PROFILE_EVENT, &expected));
    }

    #[test]
    fn a_deletion_is_a_time() {
        for (mode, script) in [
            (GuardMode::Field, &FIELD_DELETION),
            (GuardMode::Profile, &PROFILE_DELETION),
            (GuardMode::ProfileReplace, &PROFILE_DELETION),
        ] {
            let guard = Guard::new(mode, "_ts");
            let deletion = GuardedDeletion { time: 0, everything: true, tombstone_ttl: 5 };
            let mut out = PackedCommands::default();
            guard.pack_deletion(b"$6\r\nuser:1\r\n", deletion, &mut out);
            assert_eq!(out.bytes(), call(script, &["_ts", "0000000000000", "1", "5"]));
            assert_eq!(
                guard.scripts().map(Script::sha),
                [guard.event_script().sha(), script.sha()]
            );
        }
    }

    #[test]
    fn words_are_read_up_to_the_end() {
        let packed = [b"$3\r\n\r\na\r\n$0\r\n\r\n$12\r\n123456789012\r\n".as_slice(), b""];
        let words: Vec<&[u8]> = packed.into_iter().flat_map(Words).collect();
        assert_eq!(words, [b"\r\na".as_slice(), b"", b"123456789012"]);
    }
}
