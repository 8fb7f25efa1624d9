//! The `integrations` of an event: may the event go to this destination?

use super::json;
use super::scan::Scanner;

/// True when `integrations` (raw, valid JSON text; `None`: absent) allows an event to go to
/// `destination`.
pub(super) fn allow(integrations: Option<&str>, destination: &str) -> bool {
    let Some(raw) = integrations else { return true };
    IntegrationValues::read(raw, destination).is_some_and(|found| match (found.all, found.own) {
        (b't' | b'f', b't' | b'{') => true,
        (b't' | b'f', b'f') => false,
        (all, _) => all == b't',
    })
}

/// The first bytes of the two values that matter. They distinguish `true`, `false` and objects from
/// all other values.
struct IntegrationValues {
    /// First byte of the value of `All`; that of `true` when absent.
    all: u8,
    /// First byte of the value of the destination; 0 when absent.
    own: u8,
}

impl IntegrationValues {
    /// `None`: `raw` is no object.
    fn read(raw: &str, destination: &str) -> Option<Self> {
        let mut scanner = Scanner::new(raw);
        if scanner.peek() != b'{' {
            return None;
        }
        let mut found = Self { all: b't', own: 0 };
        let mut more = scanner.open(b'}');
        while more {
            let name = scanner.name()?;
            let first = json::first(scanner.value()?);
            if *name == *b"All" {
                found.all = first;
            }
            if *name == *destination.as_bytes() {
                found.own = first;
            }
            more = scanner.more(b'}')?;
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_destination_wins_over_all_and_all_must_be_a_boolean() {
        let on = [
            "{}",
            r#"{"All":true}"#,
            r#"{"Redis":{}}"#,
            r#"{"All":false,"Redis":true}"#,
            r#"{"Redis":"no"}"#,
            r#"{"Redis":[]}"#,
        ];
        let off = [
            "null",
            "[]",
            "true",
            r#"{"All":false}"#,
            r#"{"Redis":false}"#,
            r#"{"All":null,"Redis":true}"#,
            r#"{"All":0}"#,
        ];
        assert!(allow(None, "Redis"));
        for raw in on {
            assert!(allow(Some(raw), "Redis"), "{raw}");
        }
        for raw in off {
            assert!(!allow(Some(raw), "Redis"), "{raw}");
        }
        assert!(!allow(Some(r#"{"All":false,"redis":true}"#), "Redis"));
        assert!(!allow(Some(r#"{"Redis":true,"Redis":false}"#), "Redis"));
    }
}
