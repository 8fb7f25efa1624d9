//! A pipeline of HSETs, packed, and what became of each.

use crate::redis::Class;

/// A reused buffer of packed HSET commands.
#[derive(Default)]
pub struct Writes {
    packed: Vec<u8>,
    count: usize,
}

impl Writes {
    pub fn clear(&mut self) {
        self.packed.clear();
        self.count = 0;
    }

    /// Adds `HSET key field value ..`: the key as one RESP bulk string, `fields` pairs of them in `parts`.
    pub fn hset<'a>(&mut self, packed_key: &[u8], fields: u32, parts: impl Iterator<Item = &'a [u8]>) {
        self.packed.push(b'*');
        self.packed.extend_from_slice(itoa::Buffer::new().format(2 + 2 * u64::from(fields)).as_bytes());
        self.packed.extend_from_slice(b"\r\n$4\r\nHSET\r\n");
        self.packed.extend_from_slice(packed_key);
        for part in parts {
            self.packed.extend_from_slice(part);
        }
        self.count += 1;
    }

    /// Number of commands, and so of replies.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn packed(&self) -> &[u8] {
        &self.packed
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
    /// Not written; to be tried again after what the class asks for.
    Retry(Class),
    /// Sent, and the connection was lost before the reply: perhaps written. The connection is fenced before anything is sent again.
    Unknown,
}

/// Why a node cannot be used, in plain words and without secrets or personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub class: Class,
    /// Redis's own first word, or `NONE` for a broken connection.
    pub code: String,
    pub message: String,
}

/// Where a lane writes. One implementation reaches Redis; tests have simulated ones.
pub trait Apply: Send {
    /// Reaches the store without writing: connects when needed, or asks whether it still answers.
    fn reach(&mut self) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Writes all, in order, and pushes one verdict for each onto `verdicts`. Sends nothing more once `allowed` is false, which is
    /// asked right before bytes are sent. The trouble is why some of them must be tried again, for logs and readiness.
    fn apply(
        &mut self,
        writes: &Writes,
        allowed: Allowed<'_>,
        verdicts: &mut Vec<Verdict>,
    ) -> impl Future<Output = Option<Trouble>> + Send;
}
