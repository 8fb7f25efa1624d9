//! Whatever a server may answer, for the properties of those who read it.

use proptest::prelude::*;
use redis::Value;

/// Replies of every kind, some like real ones, nested to a depth of four.
pub(in crate::redis) fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![any::<i64>(), -2..20_000_i64, Just(i64::MAX)];
    let word = prop_oneof![
        Just(String::new()),
        Just("?".to_owned()),
        select_word(),
        any::<String>(),
        "[a-z]{1,8}(:[0-9]{1,6})?(\r\n[a-z_]{1,8}:[0-9a-z.]{0,9}){0,3}",
    ];
    let leaf = prop_oneof![
        Just(Value::Nil),
        Just(Value::Okay),
        number.prop_map(Value::Int),
        word.clone().prop_map(|text| Value::BulkString(text.into_bytes())),
        word.prop_map(Value::SimpleString),
        any::<Vec<u8>>().prop_map(Value::BulkString),
        any::<bool>().prop_map(Value::Boolean),
        any::<f64>().prop_map(Value::Double),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Set),
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

/// Words that readers look for.
fn select_word() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "ip",
        "port",
        "hostname",
        "config-epoch",
        "message",
        "+switch-master",
        "slave",
        "master",
        "m",
        "127.0.0.1",
        "6379",
    ];
    prop::sample::select(WORDS).prop_map(str::to_owned)
}
