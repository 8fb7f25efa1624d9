//! Numbers in the words of a request. Pure.

use std::str::FromStr;

/// `None`: no number, or one that is too large.
pub(super) fn number<T: FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}
