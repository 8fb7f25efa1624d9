//! One Redis key and the fields to set, already in the form in which Redis reads them.

use std::ops::Range;

/// One Redis key and its fields, packed as RESP bulk strings: `$n\r\nKEY\r\n`, then for each field
/// `$n\r\nNAME\r\n$m\r\nVALUE\r\n`, in the order in which they must be written.
#[derive(Clone, PartialEq, Eq)]
pub struct Update {
    packed: Box<[u8]>,
    /// Where the bare key stands in `packed`.
    key: Range<u32>,
    fields: u32,
    event_time: Option<i64>,
}

impl Update {
    /// Packs `key` and `fields` into one exact allocation; `event_time` is in milliseconds since
    /// the epoch.
    pub fn pack<'a>(
        key: &[u8],
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
        event_time: Option<i64>,
    ) -> Self {
        let size =
            fields.clone().map(|(name, value)| bulk_len(name) + bulk_len(value)).sum::<usize>();
        let mut packed = Vec::with_capacity(bulk_len(key) + size);
        bulk(&mut packed, key);
        let end = packed.len() as u32 - 2;
        let mut count = 0;
        for (name, value) in fields {
            bulk(&mut packed, name);
            bulk(&mut packed, value);
            count += 1;
        }
        Self {
            packed: packed.into_boxed_slice(),
            key: end - key.len() as u32..end,
            fields: count,
            event_time,
        }
    }

    /// The Redis key.
    pub fn key(&self) -> &[u8] {
        &self.packed[self.key.start as usize..self.key.end as usize]
    }

    /// The key as one RESP bulk string.
    pub fn packed_key(&self) -> &[u8] {
        &self.packed[..self.key.end as usize + 2]
    }

    /// Names and values as RESP bulk strings, `2 * field_count()` of them.
    pub fn packed_fields(&self) -> &[u8] {
        &self.packed[self.key.end as usize + 2..]
    }

    pub fn field_count(&self) -> u32 {
        self.fields
    }

    /// The event's own time, milliseconds since the epoch, when it had a readable one.
    pub fn event_time(&self) -> Option<i64> {
        self.event_time
    }

    /// Bytes this update holds in memory.
    pub fn cost(&self) -> usize {
        self.packed.len() + size_of::<Self>()
    }

    /// Names and values, in write order.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.packed_fields();
        (0..self.fields).map(move |_| (unbulk(&mut rest), unbulk(&mut rest)))
    }
}

/// Keys and values are personal data: only sizes are shown.
impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Update")
            .field("fields", &self.fields)
            .field("bytes", &self.packed.len())
            .finish_non_exhaustive()
    }
}

/// Bytes of `bytes` as a bulk string: `$`, the length in decimal, and two line ends around it.
fn bulk_len(bytes: &[u8]) -> usize {
    let digits = bytes.len().checked_ilog10().unwrap_or(0) as usize + 1;
    1 + digits + 2 + bytes.len() + 2
}

fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'$');
    out.extend_from_slice(itoa::Buffer::new().format(bytes.len()).as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Takes the next bulk string off `rest`, which [`bulk`] wrote.
fn unbulk<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let (mut len, mut at) = (0, 1);
    while rest[at] != b'\r' {
        len = len * 10 + usize::from(rest[at] - b'0');
        at += 1;
    }
    let (bytes, tail) = rest[at + 2..].split_at(len);
    *rest = &tail[2..];
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_can_be_read_back_and_fits_exactly() {
        let long = "x".repeat(1000);
        let fields: [(&[u8], &[u8]); 4] = [
            (b"", b""),
            (b"a\r\n", b"$3\r\n"),
            (b"n", &long.as_bytes()[..99]),
            (b"l", long.as_bytes()),
        ];
        let update = Update::pack(b"user:1", fields.into_iter(), Some(7));
        assert_eq!(
            (update.key(), update.field_count(), update.event_time()),
            (b"user:1".as_slice(), 4, Some(7))
        );
        assert_eq!(update.packed_key(), b"$6\r\nuser:1\r\n");
        assert!(update.packed_fields().starts_with(b"$0\r\n\r\n$0\r\n\r\n$3\r\na\r\n\r\n"));
        assert_eq!(update.fields().collect::<Vec<_>>(), fields);
        let size =
            fields.iter().map(|(name, value)| bulk_len(name) + bulk_len(value)).sum::<usize>();
        assert_eq!(update.packed_fields().len(), size);
    }
}
