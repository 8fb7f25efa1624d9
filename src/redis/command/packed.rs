//! Commands in the form in which Redis reads them. Pure.

use std::ops::Range;

/// A reused buffer of packed commands, one behind the other.
#[derive(Default)]
pub struct PackedCommands {
    bytes: Vec<u8>,
    /// Where each command ends.
    ends: Vec<usize>,
    /// Where the last key that was pushed stands, without its length and its line ends.
    key: Range<usize>,
}

impl PackedCommands {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// All commands, in order.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Commands that are complete.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of one command.
    pub(super) fn command(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[number]]
    }

    /// Begins a command of so many `words`, the first of which is its packed `name`.
    pub(super) fn begin(&mut self, words: u64, name: &[u8]) {
        self.bytes.push(b'*');
        self.bytes.extend_from_slice(itoa::Buffer::new().format(words).as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.extend_from_slice(name);
    }

    /// Appends packed words.
    pub(super) fn push(&mut self, packed: &[u8]) {
        self.bytes.extend_from_slice(packed);
    }

    /// Appends one word.
    pub(super) fn push_word(&mut self, word: &[u8]) {
        push_bulk(&mut self.bytes, word);
    }

    /// Appends one word that consists of `parts`.
    pub(super) fn push_joined(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        push_length(&mut self.bytes, length);
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Appends the packed key.
    pub(super) fn push_key(&mut self, packed: &[u8]) {
        let length = packed.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let start = self.bytes.len() + length;
        self.bytes.extend_from_slice(packed);
        self.key = start..self.bytes.len() - 2;
    }

    /// The command is complete.
    pub(super) fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Where in [`PackedCommands::bytes`] the last key that was pushed stands.
    pub(super) fn last_key(&self) -> Range<usize> {
        self.key.clone()
    }

    /// Bytes that the buffer has room for.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for so many more bytes, and for no others: a buffer that grows by doubling would
    /// hold up to three times as much for a moment.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve_exact(bytes);
    }

    /// Gives back the room for more than `limit` bytes.
    pub(super) fn shrink_to(&mut self, limit: usize) {
        self.bytes.shrink_to(limit);
    }
}

/// Appends `word` as one RESP bulk string.
pub(super) fn push_bulk(out: &mut Vec<u8>, word: &[u8]) {
    push_length(out, word.len());
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// Appends the beginning of a bulk string.
fn push_length(out: &mut Vec<u8>, length: usize) {
    out.push(b'$');
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}
