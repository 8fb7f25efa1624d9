//! The order in which the keys of tables are declared, which the schema does not keep. Pure.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The keys of a table in their order, each with those of its own table or of the tables in its
/// list; empty for other values. Read from JSON text that a struct was written to.
#[derive(Debug, Default)]
pub(crate) struct KeyOrder(Vec<(String, KeyOrder)>);

impl KeyOrder {
    /// The position of a key and the order of what is below.
    pub(crate) fn of(&self, name: &str) -> Option<(usize, &Self)> {
        self.0.iter().enumerate().find_map(|(n, (key, inner))| (key == name).then_some((n, inner)))
    }
}

impl<'de> Deserialize<'de> for KeyOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrderVisitor)
    }
}

struct OrderVisitor;

impl<'de> Visitor<'de> for OrderVisitor {
    type Value = KeyOrder;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KeyOrder, A::Error> {
        let mut keys = Vec::new();
        while let Some(entry) = map.next_entry()? {
            keys.push(entry);
        }
        Ok(KeyOrder(keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<KeyOrder, A::Error> {
        let first = list.next_element()?.unwrap_or_default();
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }

    fn visit_unit<E>(self) -> Result<KeyOrder, E> {
        Ok(KeyOrder::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<KeyOrder, E> {
        Ok(KeyOrder::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<KeyOrder, E> {
        Ok(KeyOrder::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<KeyOrder, E> {
        Ok(KeyOrder::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<KeyOrder, E> {
        Ok(KeyOrder::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<KeyOrder, E> {
        Ok(KeyOrder::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order_of_the_text() {
        let order: KeyOrder =
            serde_json::from_str(r#"{"b": [{"y": 1, "x": null}, {"z": 1}], "a": true}"#).unwrap();
        let (at, inner) = order.of("b").unwrap();
        assert_eq!((at, order.of("a").unwrap().0), (0, 1));
        assert_eq!((inner.of("y").unwrap().0, inner.of("x").unwrap().0), (0, 1));
        assert!(inner.of("z").is_none());
    }
}
