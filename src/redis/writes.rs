//! A pipeline of HSETs, packed, and what became of each.

use std::ops::Range;

use super::{Class, slot_of};

/// A reused buffer of packed HSET commands.
#[derive(Default)]
pub struct Writes {
    packed: Vec<u8>,
    commands: Vec<Command>,
}

/// Where one command ends in the buffer, and where its key stands.
struct Command {
    end: usize,
    key: Range<usize>,
}

impl Writes {
    pub fn clear(&mut self) {
        self.packed.clear();
        self.commands.clear();
    }

    /// Adds `HSET key field value ..`: the key as one RESP bulk string, `fields` pairs of them in
    /// `parts`.
    pub fn hset<'a>(
        &mut self,
        packed_key: &[u8],
        fields: u32,
        parts: impl Iterator<Item = &'a [u8]>,
    ) {
        self.packed.push(b'*');
        self.packed
            .extend_from_slice(itoa::Buffer::new().format(2 + 2 * u64::from(fields)).as_bytes());
        self.packed.extend_from_slice(b"\r\n$4\r\nHSET\r\n");
        let key = self.packed.len() + packed_key.len();
        self.packed.extend_from_slice(packed_key);
        // Without `$length` and the line ends.
        let start = key - packed_key.len()
            + packed_key.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        for part in parts {
            self.packed.extend_from_slice(part);
        }
        self.commands.push(Command { end: self.packed.len(), key: start..key - 2 });
    }

    /// Number of commands, and so of replies.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// The packed command `write`.
    pub(super) fn command(&self, write: usize) -> &[u8] {
        let start = write.checked_sub(1).map_or(0, |before| self.commands[before].end);
        &self.packed[start..self.commands[write].end]
    }

    /// The hash slot of the key of `write`.
    pub(super) fn slot(&self, write: usize) -> u16 {
        slot_of(&self.packed[self.commands[write].key.clone()])
    }

    /// Gives memory back when one large batch made the buffer larger than `limit` bytes.
    pub fn shrink_to(&mut self, limit: usize) {
        if self.packed.capacity() > limit {
            self.clear();
            self.packed.shrink_to(limit);
        }
    }
}

/// Whether writes in hand may still be sent.
pub type Allowed<'a> = &'a (dyn Fn() -> bool + Sync);

/// What became of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Redis replied OK.
    Written,
    /// Redis refuses this write for good: the key holds another type.
    WrongType,
    /// Redis refuses this write for good for another reason.
    Refused,
    /// Refused with a text that nobody knows: because of this write, or because of the server.
    Unexplained(UnexplainedRefusal),
    /// Not written; to be tried again after what the class asks for.
    Retry(Class),
    /// Sent, and the connection was lost before the reply: perhaps written. The connection is
    /// fenced before anything is sent again.
    Unknown,
}

/// What is known about a refusal that nobody can explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnexplainedRefusal {
    /// Equal for refusals with the same text, whichever server it came from; none when the text
    /// speaks of the server.
    pub text: Option<u64>,
    /// Equal for the same server.
    pub server: u64,
    /// Writes that this server had taken before, of all lanes that share its connector.
    pub taken: u64,
}

/// Why a node cannot be used, in plain words and without secrets or personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub class: Class,
    /// Redis's own first word, or `NONE` for a broken connection.
    pub code: String,
    pub message: String,
}

impl Trouble {
    /// The one of two that asks for more than another try; else the first.
    pub(super) fn graver(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        let grave = |trouble: &Option<Self>| {
            trouble.as_ref().is_some_and(|trouble| trouble.class != Class::Retry)
        };
        if !grave(&first) && grave(&second) { second } else { first.or(second) }
    }

    /// Somebody else is to be asked where to write.
    pub(super) fn rediscover(message: impl Into<String>) -> Self {
        Self { class: Class::Rediscover, code: "NONE".into(), message: message.into() }
    }
}

/// Where a lane writes. One implementation reaches Redis; tests have simulated ones.
pub trait Apply: Send {
    /// Reaches the store without writing: connects when needed, or asks whether it still answers.
    fn reach(&mut self) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Writes all, in order, and pushes one verdict for each onto `verdicts`. Sends nothing more
    /// once `allowed` is false, which is asked right before bytes are sent. The trouble is why some
    /// of them must be tried again, for logs and readiness.
    fn apply(
        &mut self,
        writes: &Writes,
        allowed: Allowed<'_>,
        verdicts: &mut Vec<Verdict>,
    ) -> impl Future<Output = Option<Trouble>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_slots_are_found_again() {
        let mut writes = Writes::default();
        let parts: [&[u8]; 1] = [b"$1\r\na\r\n$1\r\n1\r\n"];
        writes.hset(b"$6\r\nuser:1\r\n", 1, parts.into_iter());
        writes.hset(b"$5\r\n{x}\r\n\r\n", 1, parts.into_iter());
        assert_eq!(
            writes.command(0),
            b"*4\r\n$4\r\nHSET\r\n$6\r\nuser:1\r\n$1\r\na\r\n$1\r\n1\r\n"
        );
        assert_eq!([writes.command(0), writes.command(1)].concat(), writes.packed());
        assert_eq!([writes.slot(0), writes.slot(1)], [slot_of(b"user:1"), slot_of(b"x")]);
        writes.clear();
        assert!(writes.is_empty());
    }
}
