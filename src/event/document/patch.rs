//! The text that is merged into a document, or becomes it.

use super::null_path::null_path;
use crate::event::js::{ObjectMember, Value, push_json, push_quoted};
use crate::event::{DocumentRules, Limits, RejectReason, Update};
use crate::profile::JsonNulls;

/// Objects and arrays around one value that RedisJSON takes: it refuses text with one more.
const DEEPEST: usize = 127;

/// JSON text, and what it cannot say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Patch {
    text: Vec<u8>,
    /// JSONPath of each member that is null afterwards. In the text it is null, too, which removes
    /// it.
    null_paths: Vec<Vec<u8>>,
}

impl Patch {
    /// The patch with `value`, an object or an array, at the place to which the names in `below`
    /// lead.
    ///
    /// # Errors
    /// `TooDeep`, `FieldNameTooLong`, `TooManyFields`, and `TooLarge` as soon as it shows.
    pub(super) fn of(
        value: &Value<'_>,
        below: &[&[u8]],
        rules: DocumentRules,
        limits: &Limits,
    ) -> Result<Self, RejectReason> {
        if below.len() + levels(value) > DEEPEST {
            return Err(RejectReason::TooDeep);
        }
        let nulls = match rules.nulls {
            // There is nothing to be removed from a document that is replaced.
            JsonNulls::Delete if rules.replace => JsonNulls::Skip,
            nulls => nulls,
        };
        let mut writing = PatchWriting {
            limits,
            nulls,
            has_paths: nulls == JsonNulls::Keep && !rules.replace,
            patch: Self::default(),
            names: Vec::new(),
            name_bytes: 0,
            fields: 0,
            null_bytes: 0,
        };
        for name in below {
            writing.patch.text.push(b'{');
            writing.enter(name);
        }
        match value {
            Value::Object(members) if !members.is_empty() => writing.object(members)?,
            other => writing.leaf(other)?,
        }
        let mut patch = writing.patch;
        patch.text.extend(below.iter().map(|_| b'}'));
        Ok(patch)
    }

    /// Whether the patch has no member at all.
    pub(super) fn changes_nothing(&self) -> bool {
        self.text.is_empty() || self.text == b"{}"
    }

    /// Members that become null.
    pub(super) fn null_count(&self) -> u32 {
        self.null_paths.len() as u32
    }

    /// The update of `key`.
    ///
    /// # Errors
    /// `KeyTooLong`, and `TooLarge`: the command for each null repeats the key.
    pub(super) fn into_update(
        self,
        key: &[u8],
        event_time: Option<i64>,
        limits: &Limits,
    ) -> Result<Update, RejectReason> {
        if key.len() > limits.max_key {
            return Err(RejectReason::KeyTooLong);
        }
        let for_null = |path: &Vec<u8>| key.len() + path.len();
        let size = self.text.len() + self.null_paths.iter().map(for_null).sum::<usize>();
        if size > limits.max_update {
            return Err(RejectReason::TooLarge);
        }
        let null_paths = self.null_paths.iter().map(Vec::as_slice);
        Ok(Update::pack_document(key, &self.text, null_paths, event_time))
    }
}

/// How many objects and arrays stand inside each other.
fn levels(value: &Value<'_>) -> usize {
    let inner = match value {
        Value::Object(members) => members.iter().map(|(_, value)| levels(value)).max(),
        Value::Array(elements) => elements.iter().map(levels).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}

/// The state while one patch is written.
struct PatchWriting<'w> {
    limits: &'w Limits,
    nulls: JsonNulls,
    /// Nulls that are kept need a path.
    has_paths: bool,
    patch: Patch,
    /// The path of the member that is being written.
    names: Vec<&'w [u8]>,
    /// Bytes of the path, with dots.
    name_bytes: usize,
    fields: usize,
    /// Bytes of the paths of nulls.
    null_bytes: usize,
}

impl<'w> PatchWriting<'w> {
    /// Begins a member; the bytes of its parent's path come back.
    fn enter(&mut self, name: &'w [u8]) -> usize {
        let parent = self.name_bytes;
        self.name_bytes += usize::from(parent > 0) + name.len();
        self.names.push(name);
        push_quoted(&mut self.patch.text, name);
        self.patch.text.push(b':');
        parent
    }

    fn object(&mut self, members: &'w [ObjectMember<'_>]) -> Result<(), RejectReason> {
        self.patch.text.push(b'{');
        let start = self.patch.text.len();
        for (name, value) in members {
            if is_null(value) && self.nulls == JsonNulls::Skip {
                continue;
            }
            if self.patch.text.len() > start {
                self.patch.text.push(b',');
            }
            let parent = self.enter(name);
            match value {
                Value::Object(inner) if !inner.is_empty() => self.object(inner)?,
                leaf => self.leaf(leaf)?,
            }
            self.names.pop();
            self.name_bytes = parent;
        }
        self.patch.text.push(b'}');
        Ok(())
    }

    fn leaf(&mut self, value: &Value<'_>) -> Result<(), RejectReason> {
        if self.name_bytes > self.limits.max_field_name {
            return Err(RejectReason::FieldNameTooLong);
        }
        self.fields += 1;
        if self.fields > self.limits.max_fields {
            return Err(RejectReason::TooManyFields);
        }
        push_json(&mut self.patch.text, value, self.limits.max_update);
        if self.has_paths
            && is_null(value)
            && let Some(path) = null_path(self.names.iter().copied())
        {
            self.null_bytes += path.len();
            self.patch.null_paths.push(path);
        }
        let size = self.patch.text.len() + self.null_bytes;
        if size > self.limits.max_update { Err(RejectReason::TooLarge) } else { Ok(()) }
    }
}

/// Whether JavaScript writes null.
fn is_null(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Number(number) => !number.is_finite(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::js;

    const LIMITS: Limits = Limits {
        max_event: 1 << 20,
        max_depth: 200,
        max_fields: 5,
        max_key: 1 << 10,
        max_field_name: 9,
        max_update: 60,
    };

    /// The text, and the paths of nulls behind it; or the reason.
    fn patched(raw: &str, below: &[&str], nulls: JsonNulls, replace: bool) -> String {
        let rules = DocumentRules { nulls, replace, ..DocumentRules::default() };
        let below: Vec<&[u8]> = below.iter().map(|name| name.as_bytes()).collect();
        match Patch::of(&js::parse(raw, 200).unwrap(), &below, rules, &LIMITS) {
            Ok(Patch { text, null_paths }) => {
                let words = std::iter::once(text).chain(null_paths);
                words.map(|word| String::from_utf8(word).unwrap()).collect::<Vec<_>>().join(" ")
            }
            Err(reason) => reason.as_str().into(),
        }
    }

    #[test]
    fn a_null_is_skipped_deletes_or_is_kept() {
        use JsonNulls::{Delete, Keep, Skip};
        let raw = r#"{"a":null,"b":{"c":null,"d":[null,{"e":null}]},"f":1e400}"#;
        let cleaned = r#"{"b":{"d":[null,{"e":null}]}}"#;
        let whole = r#"{"a":null,"b":{"c":null,"d":[null,{"e":null}]},"f":null}"#;
        for (nulls, replace, text) in [
            (Skip, false, cleaned),
            (Skip, true, cleaned),
            (Delete, false, whole),
            (Delete, true, cleaned),
            (Keep, true, whole),
        ] {
            assert_eq!(patched(raw, &[], nulls, replace), text, "{nulls:?} {replace}");
        }
        let kept = r#"{"a":null,"b":{"c":null}} $["a"] $["b"]["c"]"#;
        assert_eq!(patched(r#"{"a":null,"b":{"c":null}}"#, &[], Keep, false), kept);
        assert_eq!(patched(r#"{"\\":null}"#, &[], Keep, false), r#"{"\\":null}"#);
        let below = r#"{"m":{"n":{"a":null}}} $["m"]["n"]["a"]"#;
        assert_eq!(patched(r#"{"a":null}"#, &["m", "n"], Keep, false), below);
    }

    #[test]
    fn numbers_and_texts_are_written_as_javascript_writes_them() {
        let raw = "{\"a\":-0.0,\"b\":1.0,\"a\":1E21,\"c\":\"\\u00e9\\/\\u0001\"}";
        let text = "{\"a\":1e+21,\"b\":1,\"c\":\"é/\\u0001\"}";
        assert_eq!(patched(raw, &[], JsonNulls::Delete, false), text);
        assert_eq!(
            patched("[-0,{\"__proto__\":1}]", &[], JsonNulls::Skip, true),
            "[0,{\"__proto__\":1}]"
        );
        assert_eq!(patched("{}", &["m"], JsonNulls::Delete, false), "{\"m\":{}}");
    }

    #[test]
    fn limits_are_those_of_a_hash() {
        use JsonNulls::{Delete, Keep, Skip};
        for (raw, nulls, verdict) in [
            (
                r#"{"a":1,"b":2,"c":3,"d":4,"e":{"f":5}}"#,
                Delete,
                r#"{"a":1,"b":2,"c":3,"d":4,"e":{"f":5}}"#,
            ),
            (r#"{"a":1,"b":2,"c":3,"d":4,"e":{"f":5,"g":{}}}"#, Delete, "too_many_fields"),
            (r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":null}"#, Delete, "too_many_fields"),
            (
                r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":null}"#,
                Skip,
                r#"{"a":1,"b":2,"c":3,"d":4,"e":5}"#,
            ),
            (r#"{"1234":{"6789":1}}"#, Delete, r#"{"1234":{"6789":1}}"#),
            (r#"{"1234":{"67890":1}}"#, Delete, "field_name_too_long"),
            (r#"{"1234":{"67890":null}}"#, Skip, r#"{"1234":{}}"#),
            (r#"{"a":[1e20,1e20,1e20]}"#, Delete, "too_large"),
            (r#"{"a":null,"b":null,"c":null,"d":null,"e":null}"#, Keep, "too_large"),
        ] {
            assert_eq!(patched(raw, &[], nulls, false), verdict, "{raw} {nulls:?}");
        }
    }

    #[test]
    fn a_document_is_as_deep_as_redisjson_takes_it() {
        let wide = Limits { max_field_name: 1 << 10, max_update: 1 << 20, ..LIMITS };
        let verdict = |raw: String, below: &[&[u8]]| {
            let value = js::parse(&raw, 200).unwrap();
            Patch::of(&value, below, DocumentRules::default(), &wide).map(|_| ())
        };
        let objects = |depth| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        let arrays = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(verdict(objects(127), &[]), Ok(()));
        assert_eq!(verdict(objects(128), &[]), Err(RejectReason::TooDeep));
        assert_eq!(verdict(arrays(127), &[]), Ok(()));
        assert_eq!(verdict(arrays(128), &[]), Err(RejectReason::TooDeep));
        assert_eq!(verdict(objects(125), &[b"m", b"n"]), Ok(()));
        assert_eq!(verdict(objects(126), &[b"m", b"n"]), Err(RejectReason::TooDeep));
    }
}
