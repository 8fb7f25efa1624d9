//! Finds the places in JSON text at which a string may begin or end, 64 bytes at a time.

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// The *stops* of a text, in order: quotes, backslashes, control characters, and every place behind
/// its end. Inside a string all other bytes stand for themselves.
#[derive(Clone, Copy)]
pub(super) struct Stops<'a> {
    text: &'a [u8],
    /// Where the current block begins.
    start: usize,
    /// The stops of the current block that are still to come: the lowest bit is its first byte.
    bits: u64,
    /// Those of the block that follows. They are known early, so that nothing waits for them.
    ahead: u64,
}

impl<'a> Stops<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, start: 0, bits: block_at(text, 0), ahead: block_at(text, BLOCK) }
    }

    /// The next stop.
    #[inline(always)]
    pub(super) fn next(&mut self) -> usize {
        while self.bits == 0 {
            self.start += BLOCK;
            self.bits = self.ahead;
            self.ahead = block_at(self.text, self.start + BLOCK);
        }
        let stop = self.start + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        stop
    }
}

/// The stops of the block that begins at `start`.
#[inline(never)]
fn block_at(text: &[u8], start: usize) -> u64 {
    let rest = text.get(start..).unwrap_or_default();
    match rest.first_chunk() {
        Some(bytes) => stops_of(bytes),
        None if rest.is_empty() => u64::MAX,
        None => {
            let mut bytes = [0; BLOCK];
            bytes[..rest.len()].copy_from_slice(rest);
            stops_of(&bytes)
        }
    }
}

/// A bit for each byte that is a stop. Written so that the compiler looks at 16 bytes at once.
#[inline(always)]
fn stops_of(bytes: &[u8; BLOCK]) -> u64 {
    let mut weights = [0_u8; BLOCK];
    for (at, (weight, &byte)) in weights.iter_mut().zip(bytes).enumerate() {
        let is_stop = (byte == b'"') | (byte == b'\\') | (byte < b' ');
        *weight = if is_stop { 1 << (at % 8) } else { 0 };
    }
    let mut bits = [0; BLOCK / 8];
    for (bits, eight) in bits.iter_mut().zip(weights.as_chunks::<8>().0) {
        *bits = eight.iter().map(|&weight| u64::from(weight)).sum::<u64>() as u8;
    }
    u64::from_le_bytes(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_stop_or_none() {
        for len in [0, 1, 63, 64, 65, 200] {
            for byte in 0..=u8::MAX {
                for at in 0..len {
                    let mut text = vec![b'a'; len];
                    text[at] = byte;
                    let is_stop = byte < b' ' || byte == b'"' || byte == b'\\';
                    let mut stops = Stops::new(&text);
                    let found = [stops.next(), stops.next(), stops.next()];
                    let expected =
                        if is_stop { [at, len, len + 1] } else { [len, len + 1, len + 2] };
                    assert_eq!(found, expected, "{byte} at {at} of {len}");
                }
            }
        }
    }
}
