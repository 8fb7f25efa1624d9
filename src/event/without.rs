//! Copies a valid JSON object without one of its members. The last of a repeated name counts.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, AnyName};

/// `object` without the member at `path`, where [`json::member_at`] finds one.
pub(super) fn without(object: &str, path: &[String]) -> String {
    let mut out = String::with_capacity(object.len());
    push_without(&mut out, object, path);
    out
}

/// Recurses as deep as `path` is long.
fn push_without(out: &mut String, object: &str, path: &[String]) {
    let Some((name, deeper)) = path.split_first() else { return };
    let is_wanted = |member: &MemberPlace<'_>| *member.name == *name.as_bytes();
    let members = members(object);
    let last = members.iter().rposition(is_wanted);
    out.push('{');
    let start = out.len();
    for (at, member) in members.iter().enumerate() {
        if deeper.is_empty() && is_wanted(member) {
            continue;
        }
        if out.len() > start {
            out.push(',');
        }
        if Some(at) == last {
            out.push_str(member.text.strip_suffix(member.value).unwrap_or_default());
            push_without(out, member.value, deeper);
        } else {
            out.push_str(member.text);
        }
    }
    out.push('}');
}

/// A member of an object.
struct MemberPlace<'a> {
    /// In WTF-8.
    name: Cow<'a, [u8]>,
    /// From the first quote of its name to the end of its value.
    text: &'a str,
    value: &'a str,
}

/// All members of `object`, in order.
fn members(object: &str) -> Vec<MemberPlace<'_>> {
    serde_json::Deserializer::from_str(object)
        .deserialize_map(AllMembers(object))
        .unwrap_or_default()
}

/// Visits the object whose text it holds; yields its members.
struct AllMembers<'a>(&'a str);

impl<'a> Visitor<'a> for AllMembers<'a> {
    type Value = Vec<MemberPlace<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut members, mut end) = (Vec::new(), 0);
        while let Some(name) = map.next_key_seed(AnyName)? {
            let value = map.next_value::<&RawValue>()?.get();
            // What stands before the name: a brace or a comma, and blanks.
            let mut start = end;
            json::peek(self.0.as_bytes(), &mut start);
            start += 1;
            json::peek(self.0.as_bytes(), &mut start);
            end = value.as_ptr().addr() - self.0.as_ptr().addr() + value.len();
            members.push(MemberPlace { name, text: &self.0[start..end], value });
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_value_is_found_and_left_out() {
        for (object, at, value, rest) in [
            (r#"{"a":1}"#, "a", "1", "{}"),
            (r#" { "a" : 1 , "b" : [ ] } "#, "a", "1", r#"{"b" : [ ]}"#),
            (r#"{"b":2,"a":{"x":1}}"#, "a", r#"{"x":1}"#, r#"{"b":2}"#),
            (r#"{"a":1,"b":2,"a":3}"#, "a", "3", r#"{"b":2}"#),
            (r#"{"\u0061":"x","b":"\ud800"}"#, "a", r#""x""#, r#"{"b":"\ud800"}"#),
            (
                r#"{"t":{"a":0},"x":"}","t":{"a":1,"b": 2},"y":1e400}"#,
                "t.a",
                "1",
                r#"{"t":{"a":0},"x":"}","t":{"b": 2},"y":1e400}"#,
            ),
            (r#"{"a":{"b":{"c":"v"}}}"#, "a.b.c", r#""v""#, r#"{"a":{"b":{}}}"#),
        ] {
            assert_eq!(json::member_at(object, &path(at)), Some(value), "{object}");
            assert_eq!(without(object, &path(at)), rest, "{object}");
        }
    }

    #[test]
    fn nothing_is_found_where_the_path_does_not_lead() {
        for (object, at) in [
            (r#"{"a":1}"#, "b"),
            (r#"{"a":1}"#, "a.b"),
            (r#"{"a":[{"b":1}]}"#, "a.b"),
            (r#"{"a":"b"}"#, "a.b"),
            (r#"{"a":{"b":1},"a":2}"#, "a.b"),
            (r#"{"a.b":1}"#, "a.b"),
            ("7", "a"),
        ] {
            assert_eq!(json::member_at(object, &path(at)), None, "{object}");
        }
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let object = format!(r#"{{"x":{deep},"a":1}}"#);
        assert_eq!(without(&object, &path("a")), format!(r#"{{"x":{deep}}}"#));
        assert_eq!(json::member_at(&object, &["x"]), Some(deep.as_str()));
    }
}
