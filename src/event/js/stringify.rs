//! `JSON.stringify`.

use super::{Value, push_json_number, push_quoted};

/// Appends the compact JSON text of `value`. Stops once `out` holds more than `most` bytes: numbers
/// can become five times as long as they were.
pub(in crate::event) fn push_json(out: &mut Vec<u8>, value: &Value<'_>, most: usize) {
    if out.len() > most {
        return;
    }
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => push_json_number(out, *number),
        Value::String(wtf8) => push_quoted(out, wtf8),
        Value::Array(elements) => {
            out.push(b'[');
            for (at, element) in elements.iter().enumerate() {
                separate(out, at);
                push_json(out, element, most);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (at, (name, member)) in members.iter().enumerate() {
                separate(out, at);
                push_quoted(out, name);
                out.push(b':');
                push_json(out, member, most);
            }
            out.push(b'}');
        }
    }
}

fn separate(out: &mut Vec<u8>, at: usize) {
    if at > 0 {
        out.push(b',');
    }
}
