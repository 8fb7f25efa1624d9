//! The hash slot of a key. Pure.

/// Redis hash slots.
pub const SLOTS: usize = 16_384;

/// Redis's hash slot: CRC16 of the key, or of what stands between the first `{` and the next `}`
/// unless that is empty.
pub fn slot_of(key: &[u8]) -> u16 {
    let tag = memchr::memchr(b'{', key).and_then(|open| {
        let inner = &key[open + 1..];
        memchr::memchr(b'}', inner).filter(|&len| len > 0).map(|len| &inner[..len])
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOTS as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_redis_own() {
        // Values of `CLUSTER KEYSLOT`.
        for (key, slot) in [
            ("user:1", 10778),
            ("foo", 12182),
            ("{user1000}.following", 3443),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("", 0),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
    }
}
