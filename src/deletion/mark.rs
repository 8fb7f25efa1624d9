//! Who is suppressed, as it is kept on disk and in Redis: the hash of a user id, and a mark. Pure.

use sha2::{Digest, Sha256};

/// SHA-256 of a user id's text.
pub(super) type UserDigest = [u8; 32];

/// Users and their marks.
pub(super) type UserMarks = Vec<(UserDigest, SuppressionMark)>;

/// The digest of a user.
pub(super) fn digest_of(user: &[u8]) -> UserDigest {
    Sha256::digest(user).into()
}

/// A digest as the name of a field: 64 hexadecimal digits.
pub(super) fn field_of(digest: &UserDigest) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let pair = |byte: &u8| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
    digest.iter().flat_map(pair).collect()
}

/// The digest that a field is named after; `None`: it is another field.
pub(super) fn digest_in(field: &[u8]) -> Option<UserDigest> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut digest = [0; 32];
    if field.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(field.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(digest)
}

/// Whether a user is suppressed, and since when. Of two marks of one user the newer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuppressionMark {
    /// False: the suppression was lifted.
    pub suppressed: bool,
    /// Milliseconds since 1970, at least 1.
    pub at: i64,
}

impl SuppressionMark {
    /// True when it counts more than `other`; at the same moment a suppression does.
    pub(super) fn beats(self, other: Self) -> bool {
        (self.at, self.suppressed) > (other.at, other.suppressed)
    }

    /// `+` or `-` and milliseconds.
    pub(super) fn text(self) -> String {
        format!("{}{}", if self.suppressed { '+' } else { '-' }, self.at)
    }

    /// `None`: it is no mark.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let (sign, digits) = text.split_first()?;
        let suppressed = match sign {
            b'+' => true,
            b'-' => false,
            _ => return None,
        };
        let digits = std::str::from_utf8(digits).ok()?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let at = digits.parse().ok().filter(|at| plain && *at > 0)?;
        Some(Self { suppressed, at })
    }

    /// The mark as one number: negative when the suppression was lifted.
    pub(super) fn number(self) -> i64 {
        if self.suppressed { self.at } else { -self.at }
    }

    /// The mark of [`SuppressionMark::number`].
    pub(super) fn of_number(number: i64) -> Self {
        Self { suppressed: number >= 0, at: number.saturating_abs() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_a_field_and_back() {
        let digest = digest_of(b"abc");
        let field = field_of(&digest);
        // printf abc | sha256sum
        assert!(field.starts_with(b"ba7816bf8f01cfea414140de5dae2223b00361a3"));
        assert_eq!(digest_in(&field), Some(digest));
        let upper = field.to_ascii_uppercase();
        for other in [&b"changed"[..], b"", &field[1..], &[&field[..], b"0"].concat(), &upper] {
            assert_eq!(digest_in(other), None);
        }
    }

    #[test]
    fn marks_have_a_text_and_a_number() {
        for (text, suppressed, at) in [("+1", true, 1), ("-1700000000123", false, 1700000000123)] {
            let mark = SuppressionMark { suppressed, at };
            assert_eq!(mark.text(), text);
            assert_eq!(SuppressionMark::read(text.as_bytes()), Some(mark));
            assert_eq!(SuppressionMark::of_number(mark.number()), mark);
        }
        for text in ["", "+", "1", "++1", "+-1", "+1 ", "+0", "-0", "+1.5", "+99999999999999999999"]
        {
            assert_eq!(SuppressionMark::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_newer_mark_counts_and_a_suppression_wins_a_tie() {
        let mark = |text: &str| SuppressionMark::read(text.as_bytes()).unwrap();
        for (one, other, beats) in [
            ("+2", "-1", true),
            ("-2", "+1", true),
            ("+1", "-2", false),
            ("+1", "-1", true),
            ("-1", "+1", false),
            ("+1", "+1", false),
        ] {
            assert_eq!(mark(one).beats(mark(other)), beats, "{one} {other}");
        }
    }
}
