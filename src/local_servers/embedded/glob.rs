//! Redis' glob patterns: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before what is meant as
//! itself. Pure.

/// Whether all of `text` matches; takes time linear in `text` for each star.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last star stands, and how much it has swallowed.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match step(&pattern[p..], text[t]) {
            Step::Star => {
                star = Some((p + 1, t));
                p += 1;
            }
            Step::One(len) => {
                p += len;
                t += 1;
            }
            Step::No => match &mut star {
                Some((after, swallowed)) => {
                    *swallowed += 1;
                    (p, t) = (*after, *swallowed);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

enum Step {
    Star,
    /// The byte matches this many bytes of the pattern.
    One(usize),
    No,
}

fn step(pattern: &[u8], byte: u8) -> Step {
    let one = |matched: bool, len: usize| if matched { Step::One(len) } else { Step::No };
    match pattern {
        [] => Step::No,
        [b'*', ..] => Step::Star,
        [b'?', ..] => Step::One(1),
        [b'\\', escaped, ..] => one(*escaped == byte, 2),
        [b'[', class @ ..] => {
            let (matched, len) = in_class(class, byte);
            one(matched, len + 1)
        }
        [literal, ..] => one(*literal == byte, 1),
    }
}

/// Whether `byte` is in the class, and the length of the class with its `]`; one that is not closed
/// goes to the end.
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
        fn escaped_text_matches_itself_alone(text in "[a*?\\[\\]^\\\\-]{0,8}", other in "[a*?\\[\\]^\\\\-]{0,8}") {
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
