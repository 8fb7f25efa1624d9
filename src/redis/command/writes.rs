//! The writes of one batch, packed. Pure.

use std::ops::Range;

use redis::Value;

use super::packed::{PackedCommands, push_bulk};
use super::write::Write;
use crate::redis::slot::slot_of;

/// A reused buffer of packed writes, each to another key.
#[derive(Default)]
pub struct Writes {
    commands: PackedCommands,
    expected: Vec<Expected>,
    places: Vec<Placed>,
}

/// The replies that a write that was sent will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) struct Expected {
    /// The write, which can say what its replies mean.
    pub(in crate::redis) write: Write,
    pub(in crate::redis) replies: usize,
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
    key: Range<usize>,
}

impl Writes {
    pub fn clear(&mut self) {
        self.commands.clear();
        self.expected.clear();
        self.places.clear();
    }

    /// Makes room for writes of about so many bytes.
    pub fn reserve(&mut self, bytes: usize) {
        self.commands.reserve(bytes);
    }

    /// Adds the commands of `write`: `key` is one packed RESP bulk string; `payload` is that of
    /// each update that was joined, in order.
    pub fn add<'a>(&mut self, write: Write, key: &[u8], payload: impl Iterator<Item = &'a [u8]>) {
        let first_command = self.commands.len();
        write.pack(key, payload, &mut self.commands);
        self.expected.push(Expected { write, replies: self.commands.len() - first_command });
        self.places.push(Placed { first_command, key: self.commands.last_key() });
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

    /// The replies to each write, in order.
    pub(in crate::redis) fn expected(&self) -> &[Expected] {
        &self.expected
    }

    /// Each packed command of the write with this number.
    pub(in crate::redis) fn commands(&self, write: usize) -> impl Iterator<Item = &[u8]> {
        let first = self.places[write].first_command;
        (first..first + self.expected[write].replies).map(|number| self.commands.command(number))
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
        }
    }

    /// One write of each form to `key`, with `fields` fields where a form has fields: to ask a
    /// server whether it would take them.
    pub(in crate::redis) fn samples(key: &str, fields: u32) -> Self {
        let mut packed_key = Vec::new();
        push_bulk(&mut packed_key, key.as_bytes());
        let mut samples = Self::default();
        for write in Write::forms(fields) {
            samples.add(write, &packed_key, std::iter::once(write.sample().as_slice()));
        }
        samples
    }

    /// The number of replies to all writes.
    pub(in crate::redis) fn replies(&self) -> usize {
        self.commands.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::command::HashWrite;

    #[test]
    fn commands_and_slots_are_found_again() {
        let mut writes = Writes::default();
        let hash = Write::Hash(HashWrite { fields: 1 });
        let parts: [&[u8]; 1] = [b"$1\r\na\r\n$1\r\n1\r\n"];
        writes.add(hash, b"$6\r\nuser:1\r\n", parts.into_iter());
        writes.add(hash, b"$5\r\n{x}\r\n\r\n", parts.into_iter());
        let commands: Vec<Vec<u8>> =
            (0..2).map(|write| writes.commands(write).flatten().copied().collect()).collect();
        assert_eq!(commands[0], b"*4\r\n$4\r\nHSET\r\n$6\r\nuser:1\r\n$1\r\na\r\n$1\r\n1\r\n");
        assert_eq!(commands.concat(), writes.packed());
        assert_eq!([writes.slot(0), writes.slot(1)], [slot_of(b"user:1"), slot_of(b"x")]);
        assert_eq!(writes.expected(), [Expected { write: hash, replies: 1 }; 2]);
        writes.clear();
        assert!(writes.is_empty());
    }

    #[test]
    fn samples_are_what_a_client_would_send() {
        let mut expected = redis::cmd("HSET");
        expected.arg("user:").arg("f0").arg("0").arg("f1").arg("0");
        let samples = Writes::samples("user:", 2);
        assert_eq!(samples.packed(), expected.get_packed_command());
        assert_eq!(samples.replies(), 1);
    }

    #[test]
    fn joined_writes_have_the_fields_of_both() {
        let [one, two] = [1, 2].map(|fields| Write::Hash(HashWrite { fields }));
        assert_eq!(one.join(two), Some(Write::Hash(HashWrite { fields: 3 })));
    }

    #[test]
    fn a_write_has_its_own_replies_and_none_when_one_is_missing() {
        let write = Write::Hash(HashWrite { fields: 1 });
        let expected = [2, 1, 2].map(|replies| Expected { write, replies });
        let replies = [1, 2, 3, 4].map(Value::Int);
        let found: Vec<&[Value]> =
            replies_by_write(&expected, &replies).map(|(_, replies)| replies).collect();
        assert_eq!(found, [&replies[..2], &replies[2..3]]);
    }
}
