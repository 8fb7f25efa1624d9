//! The id of a set of field names: which note holds their time. Pure.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use xxhash_rust::xxh64::xxh64;

/// Characters of an id.
pub(super) const LENGTH: usize = 8;

/// The same id for the same names, in any order and however often one stands there. Two sets of one
/// profile that share an id would share their time; 48 bits keep that from happening, as a profile
/// has few sets.
pub(super) fn note_id<'a>(names: impl Iterator<Item = &'a [u8]>) -> [u8; LENGTH] {
    let mut hashes: Vec<u64> = names.map(|name| xxh64(name, 0)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    let sum = hashes.iter().fold(0u64, |sum, hash| sum.wrapping_add(*hash));
    let mut id = [0; LENGTH];
    let written =
        BASE64_URL_SAFE_NO_PAD.encode_slice(&sum.to_be_bytes()[..LENGTH / 4 * 3], &mut id);
    debug_assert_eq!(written, Ok(LENGTH));
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_set_of_names_counts() {
        let id = |names: &[&str]| note_id(names.iter().map(|name| name.as_bytes()));
        assert_eq!(id(&["a", "b", "c"]), id(&["c", "a", "b", "a"]));
        let others = [&["a", "b"][..], &["a"], &["ab"], &["a", "bc"], &["", "ab"], &[""]];
        for (place, names) in others.iter().enumerate() {
            assert_ne!(id(names), id(&["a", "b", "c"]));
            for other in &others[..place] {
                assert_ne!(id(names), id(other));
            }
        }
    }
}
