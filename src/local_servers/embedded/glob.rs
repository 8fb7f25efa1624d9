//! Redis' glob patterns: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character that stands
//! for itself. Pure.

/// True when all of `text` matches. Takes time linear in `text` for each star.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // The position after the last star, and how far into the text that star reaches.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match step(&pattern[p..], text[t]) {
            GlobStep::Star => {
                star = Some((p + 1, t));
                p += 1;
            }
            GlobStep::One(len) => {
                p += len;
                t += 1;
            }
            GlobStep::No => match &mut star {
                Some((after, taken)) => {
                    *taken += 1;
                    (p, t) = (*after, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// How the first element of a pattern matches one byte.
enum GlobStep {
    Star,
    /// The element matches; it has this many bytes.
    One(usize),
    No,
}

fn step(pattern: &[u8], byte: u8) -> GlobStep {
    let one = |matched: bool, len: usize| if matched { GlobStep::One(len) } else { GlobStep::No };
    match pattern {
        [] => GlobStep::No,
        [b'*', ..] => GlobStep::Star,
        [b'?', ..] => GlobStep::One(1),
        [b'\\', escaped, ..] => one(*escaped == byte, 2),
        [b'[', class @ ..] => {
            let (matched, len) = in_class(class, byte);
            one(matched, len + 1)
        }
        [literal, ..] => one(*literal == byte, 1),
    }
}

/// Whether `byte` is in the class, and the length of the class with its `]`. A class without `]`
/// goes to the end of the pattern.
fn in_class(class: &[u8], byte: u8) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match &class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                found |= (*low.min(high)..=*low.max(high)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= *literal == byte;
                at += 1;
            }
        }
    }
    (found != negated, at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("user:*", "user:1", true),
            ("user:*", "use", false),
            ("*:1", "user:1:1", true),
            ("h?llo", "hello", true),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[\\]]llo", "h]llo", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("[a", "a", true),
            ("a**b*", "axxb", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_end() {
        assert!(!matches("*a".repeat(50).as_bytes(), &[b'a'; 49]));
    }

    proptest! {
        #[test]
        fn escaped_text_matches_itself_alone(
            text in "[a*?\\[\\]^\\\\-]{0,8}",
            other in "[a*?\\[\\]^\\\\-]{0,8}",
        ) {
            let escaped: String = text.chars().flat_map(|c| ['\\', c]).collect();
            prop_assert_eq!(matches(escaped.as_bytes(), other.as_bytes()), text == other);
            let starred = format!("*{escaped}*");
            prop_assert_eq!(matches(starred.as_bytes(), other.as_bytes()), other.contains(&text));
        }

        #[test]
        fn total(pattern: Vec<u8>, text: Vec<u8>) {
            matches(&pattern, &text);
        }
    }
}
