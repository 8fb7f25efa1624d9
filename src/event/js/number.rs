//! Numbers as JavaScript prints them: the shortest digits that round-trip, exponents from 1e21 and
//! below 1e-6.

/// As lodash's `toString` writes a number: `-0` keeps its sign, overflow is `Infinity`.
pub(in crate::event) fn push_number(out: &mut Vec<u8>, number: f64) {
    if number == 0.0 && number.is_sign_negative() {
        out.push(b'-');
    }
    out.extend_from_slice(ryu_js::Buffer::new().format(number).as_bytes());
}

/// As `JSON.stringify` writes a number: `-0` loses its sign, overflow is `null`.
pub(in crate::event) fn push_json_number(out: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        out.extend_from_slice(ryu_js::Buffer::new().format_finite(number).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

/// Digits that any double has.
const EXACT_DIGITS: usize = 15;

/// Whether `scalar`, a JSON number or `true`, `false` or `null`, is already as JavaScript prints
/// it, alone and in JSON. Says no where it would take long to find out.
pub(in crate::event) fn is_printed(scalar: &[u8]) -> bool {
    let digits = match scalar {
        b"0" | b"true" | b"false" | b"null" => return true,
        [b'-', digits @ ..] => digits,
        digits => digits,
    };
    // So few digits are the shortest that name their double. JavaScript writes them without an
    // exponent when the first or the second digit is not 0.
    if digits.len() > EXACT_DIGITS || digits.starts_with(b"0.0") || digits == b"0" {
        return false;
    }
    let mut points = 0;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {}
            b'.' => points += 1,
            _ => return false,
        }
    }
    points == 0 || !digits.ends_with(b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: fn(&mut Vec<u8>, f64), number: f64) -> String {
        let mut out = Vec::new();
        push(&mut out, number);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_trait_and_an_array_element_differ_in_negative_zero_and_overflow() {
        for (number, bare, in_array) in [
            (-0.0, "-0", "0"),
            (0.0, "0", "0"),
            (1e21, "1e+21", "1e+21"),
            (1e20, "100000000000000000000", "100000000000000000000"),
            (1e-7, "1e-7", "1e-7"),
            (f64::INFINITY, "Infinity", "null"),
            (f64::NEG_INFINITY, "-Infinity", "null"),
        ] {
            assert_eq!(text(push_number, number), bare);
            assert_eq!(text(push_json_number, number), in_array);
        }
    }

    #[test]
    fn a_number_that_counts_as_printed_is_so() {
        let mut printed = 0;
        for sign in ["", "-"] {
            for whole in
                ["0", "1", "10", "999", "1234567890", "123456789012345", "9007199254740993"]
            {
                for fraction in ["", ".0", ".5", ".05", ".000001", ".0000001", ".10", ".123456789"]
                {
                    for exponent in ["", "e5", "E-7"] {
                        let number = format!("{sign}{whole}{fraction}{exponent}");
                        if is_printed(number.as_bytes()) {
                            printed += 1;
                            let value = number.parse().unwrap();
                            assert_eq!(text(push_number, value), number);
                            assert_eq!(text(push_json_number, value), number);
                        }
                    }
                }
            }
        }
        assert!(printed > 40, "{printed}");
    }
}
