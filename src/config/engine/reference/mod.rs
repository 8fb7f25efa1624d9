//! The documented default file and the reference of all keys, both written from the schema: a key's
//! help text is the doc comment of its field, and nothing says it a second time. Pure.

mod default_file;
mod key;
mod key_order;
mod markdown;

use serde_json::{Map, Value};

use self::key::DocumentedKey;

pub(crate) use self::default_file::default_file;
pub(crate) use self::key_order::KeyOrder;
pub(crate) use self::markdown::markdown;

/// A configuration in which every table is there and every list of tables has one entry: what is
/// read from it and written again has all keys in their order.
pub(crate) fn skeleton(schema: &Value) -> Value {
    let tables = DocumentedKey::of(schema, None).into_iter().filter_map(|key| {
        let value = match (key.table(), key.entry()) {
            (Some(inner), _) if key.is_list() => Value::Array(vec![skeleton(inner)]),
            (Some(inner), _) => skeleton(inner),
            (None, entry) => Value::Array(vec![skeleton(entry?)]),
        };
        Some((key.name.to_owned(), value))
    });
    Value::Object(tables.collect::<Map<_, _>>())
}
