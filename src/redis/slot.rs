//! The hash slot of a key. Pure.

/// Redis hash slots.
pub const SLOTS: usize = 16_384;

/// Redis's hash slot: CRC16 of the key, or of what stands between the first `{` and the next `}` unless that is empty.
pub fn slot_of(key: &[u8]) -> u16 {
    let tag = memchr::memchr(b'{', key).and_then(|open| {
        let inner = &key[open + 1..];
        memchr::memchr(b'}', inner).filter(|&len| len > 0).map(|len| &inner[..len])
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOTS as u16
}
