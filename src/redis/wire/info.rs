//! Reading what a server says of itself. Pure.

use redis::Value;

/// The value of `name:value` in an INFO text.
pub(in crate::redis) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// The text of a reply, in either protocol.
pub(in crate::redis) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

/// The value in a CONFIG GET reply.
pub(in crate::redis) fn config_value(value: &Value) -> Option<&str> {
    match value {
        Value::Array(items) => items.get(1).and_then(text),
        Value::Map(pairs) => pairs.first().and_then(|(_, value)| text(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redis::wire::arbitrary::any_value;

    #[test]
    fn field_of_info() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n";
        assert_eq!(field(info, "run_id"), Some("abc"));
        assert_eq!(field(info, "version"), None);
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_read_or_left(value in any_value(), info in any::<String>()) {
            let _ = (text(&value), config_value(&value), field(&info, "run_id"));
        }
    }
}
