//! One key as the schema describes it.

use serde_json::{Map, Value};

use super::key_order::KeyOrder;
use crate::config::engine::key_kind::join;

/// One key, its part of the schema, and the order of the keys below.
pub(super) struct DocumentedKey<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Value,
    pub(super) order: Option<&'a KeyOrder>,
}

impl<'a> DocumentedKey<'a> {
    /// The keys of a table, in the given order.
    pub(super) fn of(table: &'a Value, order: Option<&'a KeyOrder>) -> Vec<Self> {
        let keys = table["properties"].as_object().into_iter().flatten();
        let mut keys: Vec<_> = keys
            .map(|(name, schema)| {
                let (at, order) = order.and_then(|order| order.of(name)).unzip();
                (at.unwrap_or(usize::MAX), Self { name, schema, order })
            })
            .collect();
        keys.sort_by_key(|(at, _)| *at);
        keys.into_iter().map(|(_, key)| key).collect()
    }

    /// The schema of a value that is there, not `null`.
    fn present(&self) -> &'a Value {
        let any = self.schema["anyOf"].as_array().into_iter().flatten();
        let mut present = any.filter(|one| one["type"] != "null");
        match (present.next(), present.next()) {
            (Some(one), None) => one,
            _ => self.schema,
        }
    }

    fn has_type(&self, name: &str) -> bool {
        match &self.present()["type"] {
            Value::Array(names) => names.iter().any(|one| one == name),
            one => one == name,
        }
    }

    pub(super) fn is_list(&self) -> bool {
        self.has_type("array")
    }

    /// A table with free names.
    pub(super) fn is_map(&self) -> bool {
        self.present()["additionalProperties"].is_object()
    }

    /// The table that this key is, or a list of; `None`: a value.
    pub(super) fn table(&self) -> Option<&'a Value> {
        let present = self.present();
        let table = if self.is_list() { &present["items"] } else { present };
        table["properties"].is_object().then_some(table)
    }

    /// The table that an entry of this list may be, besides a text.
    pub(super) fn entry(&self) -> Option<&'a Value> {
        let forms = self.present()["items"]["anyOf"].as_array()?;
        forms.iter().find(|form| form["properties"].is_object())
    }

    /// The doc comment, with the words that the key takes.
    pub(super) fn help(&self) -> String {
        let present = self.present();
        let inner = if self.is_list() { &present["items"] } else { present };
        let own = [self.schema, present, inner].into_iter().map(one_line);
        let own = own.filter(|help| !help.is_empty()).take(1);
        let (plain, described): (Vec<_>, Vec<_>) =
            self.words().into_iter().partition(|(_, help)| help.is_empty());
        let described = described.into_iter().map(|(word, help)| format!("`{word}`: {help}"));
        let plain: Vec<_> = plain.into_iter().map(|(word, _)| format!("`{word}`")).collect();
        let plain = (!plain.is_empty()).then(|| format!("{}.", plain.join(", ")));
        own.chain(described).chain(plain).collect::<Vec<_>>().join("\n")
    }

    /// `inner` with this key's help as its description.
    pub(super) fn with_help(&self, inner: &Value) -> Value {
        let mut described = inner.clone();
        described["description"] = self.help().into();
        described
    }

    /// The words of an enumeration and what they mean.
    fn words(&self) -> Vec<(&'a str, String)> {
        let present = self.present();
        let listed = present["enum"].as_array().into_iter().flatten();
        let plain = listed.filter_map(|word| Some((word.as_str()?, String::new())));
        let alternatives = present["oneOf"].as_array().into_iter().flatten();
        let described = alternatives.flat_map(|one| {
            let word = one["const"].as_str().map(|word| (word, uncapitalized(&one_line(one))));
            let several = one["enum"].as_array().into_iter().flatten();
            let several = several.filter_map(|word| Some((word.as_str()?, String::new())));
            word.into_iter().chain(several).collect::<Vec<_>>()
        });
        described.chain(plain).collect()
    }

    /// A value to show for a key that has no default.
    pub(super) fn example(&self) -> Value {
        let present = self.present();
        let typed = [&self.schema["default"], &self.schema["examples"][0], &present["examples"][0]];
        let is_secret = present["x-form"] == "secret";
        match typed.into_iter().find(|value| !value.is_null() && !is_secret) {
            Some(value) => value.clone(),
            None if self.has_type("array") => Value::Array(Vec::new()),
            None if self.has_type("boolean") => false.into(),
            None if self.has_type("integer") => 0.into(),
            None if self.has_type("object") => Value::Object(Map::new()),
            None => "".into(),
        }
    }

    pub(super) fn type_name(&self) -> String {
        let present = self.present();
        let named = match present["x-form"].as_str() {
            Some("duration" | "long_duration") => "duration",
            Some("size") => "size",
            Some("address") => "IP address and port",
            Some("secret") => "text (secret)",
            Some("redis_url" | "url") => "URL",
            Some("node") => "host:port",
            _ if !self.words().is_empty() => "one of these words",
            _ if self.is_map() => "table of texts",
            _ if self.is_list() => "list",
            _ if self.has_type("boolean") => "true or false",
            _ if self.has_type("integer") || self.has_type("number") => "number",
            _ => "text",
        };
        match (present["minimum"].as_number(), present["maximum"].as_number()) {
            (Some(min), Some(max)) => format!("{named}, {min} to {max}"),
            _ => named.to_owned(),
        }
    }

    /// The environment variable that sets this key of the table `path`; none for keys in lists.
    pub(super) fn variable(&self, path: &str) -> String {
        if path.contains("[]") || self.is_list_of_tables() {
            return String::new();
        }
        let name = join(path, self.name).replace('.', "__").to_uppercase();
        match (path.is_empty(), self.is_map()) {
            (true, _) => format!("`TRAITSINK__{name}`"),
            (false, false) => format!("`TRAITSINK_{name}`"),
            (false, true) => format!("`TRAITSINK_{name}__NAME`"),
        }
    }

    fn is_list_of_tables(&self) -> bool {
        self.is_list() && self.table().is_some()
    }
}

/// The description, without its line breaks.
pub(super) fn one_line(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split("\n\n").map(|part| part.replace('\n', " ")).collect::<Vec<_>>().join("\n")
}

/// `text` with a small first letter, unless it begins with an abbreviation.
fn uncapitalized(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
        }
        _ => text.to_owned(),
    }
}

/// A value as TOML.
pub(super) fn toml(value: &Value) -> String {
    match value {
        Value::Object(table) if table.is_empty() => "{}".into(),
        value => serde_json::from_value::<toml::Value>(value.clone())
            .map_or_else(|_| value.to_string(), |value| value.to_string()),
    }
}
