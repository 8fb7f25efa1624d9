//! The writes of one batch, packed. Pure.

use std::ops::Range;
use std::sync::Arc;

use redis::Value;

use super::forms::Forms;
use super::packed::{PackedCommands, push_bulk};
use super::part::UpdatePart;
use super::write::Write;
use crate::redis::slot::slot_of;

/// A reused buffer of packed writes, each to another key.
pub struct Writes {
    forms: Arc<Forms>,
    commands: PackedCommands,
    follow_ups: PackedCommands,
    expected: Vec<Expected>,
    places: Vec<Placed>,
}

/// Writes as one connection sends them.
#[derive(Clone, Copy)]
pub(in crate::redis) struct PackedWrites<'a> {
    /// All commands, in order.
    pub(in crate::redis) commands: &'a [u8],
    /// The commands that are sent once their write is confirmed, in order.
    pub(in crate::redis) follow_ups: &'a PackedCommands,
    /// The replies to each write, in order.
    pub(in crate::redis) expected: &'a [Expected],
}

/// The replies that a write that was sent will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) struct Expected {
    /// The write, which can say what its replies mean.
    pub(in crate::redis) write: Write,
    pub(in crate::redis) replies: usize,
    /// Commands that are sent once the write is confirmed.
    pub(in crate::redis) follow_ups: usize,
}

/// Each write with its own replies, in order, up to the first whose replies are not all there.
pub(in crate::redis) fn replies_by_write<'a>(
    expected: &'a [Expected],
    replies: &'a [Value],
) -> impl Iterator<Item = (Write, &'a [Value])> {
    let mut rest = replies;
    expected.iter().map_while(move |write| {
        let (own, others) = rest.split_at_checked(write.replies)?;
        rest = others;
        Some((write.write, own))
    })
}

/// Where one write stands in the buffer.
struct Placed {
    first_command: usize,
    first_follow_up: usize,
    key: Range<usize>,
}

impl Writes {
    /// For writes of these forms.
    pub fn new(forms: &Arc<Forms>) -> Self {
        Self {
            forms: Arc::clone(forms),
            commands: PackedCommands::default(),
            follow_ups: PackedCommands::default(),
            expected: Vec::new(),
            places: Vec::new(),
        }
    }

    pub fn clear(&mut self) {
        self.commands.clear();
        self.follow_ups.clear();
        self.expected.clear();
        self.places.clear();
    }

    /// Makes room for writes of about so many bytes.
    pub fn reserve(&mut self, bytes: usize) {
        self.commands.reserve(bytes);
    }

    /// Adds the commands of `write`: `key` is one packed RESP bulk string; `parts` are the updates
    /// that were joined, in order.
    pub fn add<'a>(
        &mut self,
        write: Write,
        key: &[u8],
        parts: impl Iterator<Item = UpdatePart<'a>>,
    ) {
        let (first_command, first_follow_up) = (self.commands.len(), self.follow_ups.len());
        write.pack(self.forms.settings(), key, parts, &mut self.commands);
        write.pack_follow_ups(key, &mut self.follow_ups);
        self.expected.push(Expected {
            write,
            replies: self.commands.len() - first_command,
            follow_ups: self.follow_ups.len() - first_follow_up,
        });
        let key = self.commands.last_key();
        self.places.push(Placed { first_command, first_follow_up, key });
    }

    /// Number of writes, and so of keys.
    pub fn len(&self) -> usize {
        self.expected.len()
    }

    pub fn is_empty(&self) -> bool {
        self.expected.is_empty()
    }

    /// All commands, in order.
    pub fn packed(&self) -> &[u8] {
        self.commands.bytes()
    }

    /// All commands that follow confirmed writes, in order.
    pub(in crate::redis) fn packed_follow_ups(&self) -> &[u8] {
        self.follow_ups.bytes()
    }

    /// All writes, for one connection.
    pub(in crate::redis) fn whole(&self) -> PackedWrites<'_> {
        let Self { commands, follow_ups, expected, .. } = self;
        PackedWrites { commands: commands.bytes(), follow_ups, expected }
    }

    /// The replies to the write with this number.
    pub(in crate::redis) fn expected(&self, write: usize) -> Expected {
        self.expected[write]
    }

    /// Each packed command of the write with this number.
    pub(in crate::redis) fn commands(&self, write: usize) -> impl Iterator<Item = &[u8]> {
        let first = self.places[write].first_command;
        (first..first + self.expected[write].replies).map(|number| self.commands.command(number))
    }

    /// Each packed command that follows the write with this number once it is confirmed.
    pub(in crate::redis) fn follow_ups(&self, write: usize) -> impl Iterator<Item = &[u8]> {
        let first = self.places[write].first_follow_up;
        (first..first + self.expected[write].follow_ups)
            .map(|number| self.follow_ups.command(number))
    }

    /// The hash slot of the key of the write with this number.
    pub(in crate::redis) fn slot(&self, write: usize) -> u16 {
        slot_of(&self.commands.bytes()[self.places[write].key.clone()])
    }

    /// Gives memory back when one large batch made the buffer larger than `limit` bytes.
    pub fn shrink_to(&mut self, limit: usize) {
        if self.commands.capacity() > limit {
            self.clear();
            self.commands.shrink_to(limit);
            self.follow_ups.shrink_to(limit);
        }
    }

    /// One write of each of `forms` to `key`, with `fields` fields where a form has fields: to ask
    /// a server whether it would take them.
    pub(in crate::redis) fn samples(forms: &Arc<Forms>, key: &str, fields: u32) -> Self {
        let mut packed_key = Vec::new();
        push_bulk(&mut packed_key, key.as_bytes());
        let mut samples = Self::new(forms);
        for write in forms.samples(fields) {
            let payload = write.sample();
            let (fields, removed) = write.counts();
            let part = UpdatePart { fields, removed, payload: &payload };
            samples.add(write, &packed_key, std::iter::once(part));
        }
        samples
    }

    /// The number of replies to all writes and to what follows them.
    pub(in crate::redis) fn replies(&self) -> usize {
        self.commands.len() + self.follow_ups.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Expiry;
    use crate::redis::command::{Expire, HashWrite};

    #[test]
    fn commands_and_slots_are_found_again() {
        let mut writes = Writes::new(&Arc::default());
        let hash = Write::Hash(HashWrite { fields: 1, removed: 0, expire: None });
        let part = UpdatePart { fields: 1, removed: 0, payload: b"$1\r\na\r\n$1\r\n1\r\n" };
        writes.add(hash, b"$6\r\nuser:1\r\n", std::iter::once(part));
        writes.add(hash, b"$5\r\n{x}\r\n\r\n", std::iter::once(part));
        let commands: Vec<Vec<u8>> =
            (0..2).map(|write| writes.commands(write).flatten().copied().collect()).collect();
        assert_eq!(commands[0], b"*4\r\n$4\r\nHSET\r\n$6\r\nuser:1\r\n$1\r\na\r\n$1\r\n1\r\n");
        assert_eq!(commands.concat(), writes.packed());
        assert_eq!([writes.slot(0), writes.slot(1)], [slot_of(b"user:1"), slot_of(b"x")]);
        let expected = Expected { write: hash, replies: 1, follow_ups: 0 };
        assert_eq!(writes.whole().expected, [expected; 2]);
        writes.clear();
        assert!(writes.is_empty());
    }

    #[test]
    fn samples_are_what_a_client_would_send() {
        let mut expected = redis::cmd("HSET");
        expected.arg("user:").arg("f0").arg("0").arg("f1").arg("0");
        let samples = Writes::samples(&Arc::default(), "user:", 2);
        assert_eq!(samples.packed(), expected.get_packed_command());
        assert_eq!(samples.replies(), 1);
    }

    #[test]
    fn joined_writes_have_the_fields_of_both() {
        let hash = |fields, end: Option<u64>, once| {
            let expire = end.map(|end| Expire { expiry: Expiry::After(end), once });
            Write::Hash(HashWrite { fields, removed: 0, expire })
        };
        let joined = |first: Write, later| first.join(later).expect("two hashes are one");
        assert_eq!(joined(hash(1, None, false), hash(2, None, false)), hash(3, None, false));
        // The first end counts where only keys without one get it, the last one otherwise.
        assert_eq!(joined(hash(1, Some(5), true), hash(1, Some(6), true)), hash(2, Some(5), true));
        assert_eq!(
            joined(hash(1, Some(5), false), hash(1, Some(6), false)),
            hash(2, Some(6), false)
        );
        assert_eq!(joined(hash(1, Some(5), false), hash(1, None, false)), hash(2, Some(5), false));
    }

    #[test]
    fn a_key_gets_its_end_after_the_write() {
        let mut writes = Writes::new(&Arc::default());
        for (key, expiry, once) in [
            (b"$1\r\na\r\n", Expiry::After(1500), false),
            (b"$1\r\nb\r\n", Expiry::At(1_700_000_000_000), true),
        ] {
            let write = Write::Hash(HashWrite {
                fields: 1,
                removed: 0,
                expire: Some(Expire { expiry, once }),
            });
            let part = UpdatePart { fields: 1, removed: 0, payload: b"$1\r\na\r\n$1\r\n1\r\n" };
            writes.add(write, key, std::iter::once(part));
        }
        let follow_ups = |write| writes.follow_ups(write).flatten().copied().collect::<Vec<u8>>();
        let packed = |args: &[&str]| redis::cmd(args[0]).arg(&args[1..]).get_packed_command();
        assert_eq!(follow_ups(0), packed(&["PEXPIRE", "a", "1500"]));
        assert_eq!(follow_ups(1), packed(&["PEXPIREAT", "b", "1700000000000", "NX"]));
        assert_eq!((writes.replies(), writes.slot(1)), (4, slot_of(b"b")));
    }

    #[test]
    fn a_write_has_its_own_replies_and_none_when_one_is_missing() {
        let write = Write::Hash(HashWrite { fields: 1, removed: 0, expire: None });
        let expected = [2, 1, 2].map(|replies| Expected { write, replies, follow_ups: 0 });
        let replies = [1, 2, 3, 4].map(Value::Int);
        let found: Vec<&[Value]> =
            replies_by_write(&expected, &replies).map(|(_, replies)| replies).collect();
        assert_eq!(found, [&replies[..2], &replies[2..3]]);
    }
}
