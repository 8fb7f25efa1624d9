//! The `integrations` of an event: may the event go to this destination?

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, Names};

/// True when `integrations` (raw, valid JSON text; `None`: absent) allows an event to go to
/// `destination`.
pub(super) fn allow(integrations: Option<&str>, destination: &str) -> bool {
    let Some(raw) = integrations else { return true };
    let found = IntegrationValues { all: b't', own: 0, destination };
    serde_json::Deserializer::from_str(raw).deserialize_map(found).is_ok_and(|found| {
        match (found.all, found.own) {
            (b't' | b'f', b't' | b'{') => true,
            (b't' | b'f', b'f') => false,
            (all, _) => all == b't',
        }
    })
}

/// The first bytes of the two values that matter. They distinguish `true`, `false` and objects from
/// all other values.
struct IntegrationValues<'a> {
    /// First byte of the value of `All`; that of `true` when absent.
    all: u8,
    /// First byte of the value of the destination; 0 when absent.
    own: u8,
    destination: &'a str,
}

impl<'de> Visitor<'de> for IntegrationValues<'_> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("integrations")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        let destination = self.destination.as_bytes();
        while let Some(name) = map.next_key_seed(Names::Any)? {
            let (all, own) = (*name == *b"All", *name == *destination);
            if !all && !own {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let first = json::first(map.next_value::<&RawValue>()?.get());
            if all {
                self.all = first;
            }
            if own {
                self.own = first;
            }
        }
        Ok(self)
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
