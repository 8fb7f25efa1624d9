//! Trees of values, whatever form of file they were typed in. Pure.

use config::ValueKind;
use serde_json::Value;

use super::key_kind::join;

/// All values that are no tables, with their paths.
pub(crate) fn flatten(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(table) => {
            table.iter().for_each(|(name, value)| flatten(value, &join(path, name), out))
        }
        leaf => out.push((path.to_owned(), leaf.clone())),
    }
}

/// A value of a file as JSON.
pub(crate) fn to_json(kind: ValueKind) -> Value {
    match kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(value) => value.into(),
        ValueKind::I64(value) => value.into(),
        ValueKind::U64(value) => value.into(),
        ValueKind::I128(value) => fraction(value as f64),
        ValueKind::U128(value) => fraction(value as f64),
        ValueKind::Float(value) => fraction(value),
        ValueKind::String(value) => value.into(),
        ValueKind::Array(items) => items.into_iter().map(|item| to_json(item.kind)).collect(),
        ValueKind::Table(table) => {
            table.into_iter().map(|(name, item)| (name, to_json(item.kind))).collect()
        }
    }
}

/// A TOML value as JSON.
pub(crate) fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(value) => value.into(),
        toml::Value::Integer(value) => value.into(),
        toml::Value::Float(value) => fraction(value),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(value) => value.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(name, item)| (name, from_toml(item))).collect()
        }
    }
}

/// No key takes a fraction: it only has to stay one, or a text when JSON has no such number.
fn fraction(value: f64) -> Value {
    serde_json::Number::from_f64(value)
        .map_or_else(|| Value::from(value.to_string()), Value::Number)
}

/// Says where without quoting the line, which may hold a secret.
pub(crate) fn syntax_error(
    error: &(dyn std::error::Error + Send + Sync + 'static),
    text: &str,
) -> String {
    let Some(error) = error.downcast_ref::<toml::de::Error>() else { return error.to_string() };
    let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
    let (line, start) =
        (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |at| at + 1));
    format!("line {line}, column {}: {}", before[start..].chars().count() + 1, error.message())
}
