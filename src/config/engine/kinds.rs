//! What each key takes, read off the JSON schema: what users' editors check and what the program
//! checks cannot differ.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::config::sections::raw::Raw;

/// What one key takes.
#[derive(Debug)]
pub(crate) enum Kind {
    Table(BTreeMap<String, Kind>),
    List(Box<Kind>),
    /// A text of this form, or a table.
    Either(Form, Box<Kind>),
    /// Any names, each with a text of this form; dots belong to the name.
    Map(Form),
    Boolean,
    Integer {
        min: i64,
        max: i64,
    },
    Fraction {
        min: f64,
        max: f64,
    },
    /// One of these words.
    Word(Vec<String>),
    Text(Form),
}

/// What a text must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    /// An empty one is a value of its own.
    OrEmpty,
    Duration,
    Size,
    Address,
    Secret,
    RedisUrl,
    Node,
}

/// The JSON schema of the configuration (draft 2020-12).
pub fn schema() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Raw>().to_value()
}

impl Kind {
    /// The whole configuration.
    pub(crate) fn root() -> Self {
        Self::of(&schema())
    }

    fn of(schema: &Value) -> Self {
        let words = words(schema);
        if !words.is_empty() {
            return Self::Word(words);
        }
        let any: Vec<&Value> = schema["anyOf"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["type"] != "null")
            .collect();
        if let [text, table] = any[..] {
            return Self::Either(Form::named(text["x-form"].as_str()), Box::new(Self::of(table)));
        }
        if let Some(present) =
            schema["anyOf"].as_array().and_then(|any| any.iter().find(|one| one["type"] != "null"))
        {
            return Self::of(present);
        }
        let name = match &schema["type"] {
            Value::Array(names) => {
                names.iter().filter_map(Value::as_str).find(|name| *name != "null")
            }
            name => name.as_str(),
        };
        let bound = |name: &str, default| schema[name].as_i64().unwrap_or(default);
        match name {
            Some("object") if schema["additionalProperties"].is_object() => {
                Self::Map(Form::named(schema["additionalProperties"]["x-form"].as_str()))
            }
            Some("object") => Self::Table(
                schema["properties"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(key, one)| (key.clone(), Self::of(one)))
                    .collect(),
            ),
            Some("array") => Self::List(Box::new(Self::of(&schema["items"]))),
            Some("boolean") => Self::Boolean,
            Some("integer") => {
                Self::Integer { min: bound("minimum", 0), max: bound("maximum", i64::MAX) }
            }
            Some("number") => Self::Fraction {
                min: schema["minimum"].as_f64().unwrap_or(f64::MIN),
                max: schema["maximum"].as_f64().unwrap_or(f64::MAX),
            },
            _ => Self::Text(Form::named(schema["x-form"].as_str())),
        }
    }

    /// The kind of `path` (`redis.tls.ca_file`), if there is such a key; of a name in a map, the
    /// map's.
    pub(crate) fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |kind, name| match kind {
            Self::Table(keys) => keys.get(name),
            Self::Map(_) => Some(kind),
            _ => None,
        })
    }

    /// The known key nearest to `path`, which is none.
    pub(crate) fn nearest(&self, path: &str) -> String {
        let mut known = Vec::new();
        self.paths("", &mut known);
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        // A right name in a wrong table is nearer than two slips, but not than one.
        let distance = |key: &String| match 2 * strsim::damerau_levenshtein(key, path) {
            far if far > 3 && last(key) == last(path) => 3,
            near => near,
        };
        // Of equals, the one that is less deep.
        known
            .into_iter()
            .min_by_key(|key| (distance(key), key.matches('.').count()))
            .unwrap_or_default()
    }

    /// All keys below, as `http.sources[].name`.
    pub(crate) fn paths(&self, at: &str, out: &mut Vec<String>) {
        match self {
            Self::Table(keys) => {
                for (name, kind) in keys {
                    let path = join(at, name);
                    out.push(path.clone());
                    kind.paths(&path, out);
                }
            }
            Self::List(item) => item.paths(&format!("{at}[]"), out),
            Self::Either(_, table) => table.paths(at, out),
            _ => {}
        }
    }

    /// "expected ...".
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Table(_) => "a table".into(),
            Self::List(item) if matches!(**item, Self::Table(_)) => "a list of tables".into(),
            Self::List(_) => "a list".into(),
            Self::Map(_) => "a table of texts".into(),
            Self::Either(..) => "a text or a table".into(),
            Self::Boolean => "true or false".into(),
            Self::Integer { .. } => "a whole number".into(),
            Self::Fraction { .. } => "a number".into(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Text(Form::Duration) => "a duration with its unit, such as \"5s\"".into(),
            Self::Text(Form::Size) => "a size with its unit, such as \"4MiB\"".into(),
            Self::Text(Form::Address) => "an address such as \"127.0.0.1:8080\"".into(),
            Self::Text(_) => "a text (in quotes)".into(),
        }
    }
}

impl Form {
    fn named(name: Option<&str>) -> Self {
        match name {
            Some("or_empty") => Self::OrEmpty,
            Some("duration") => Self::Duration,
            Some("size") => Self::Size,
            Some("address") => Self::Address,
            Some("secret") => Self::Secret,
            Some("redis_url") => Self::RedisUrl,
            Some("node") => Self::Node,
            _ => Self::Plain,
        }
    }
}

/// The words of an enumeration: documented ones stand alone, the others together.
fn words(schema: &Value) -> Vec<String> {
    let alternatives = schema["oneOf"].as_array().into_iter().flatten().flat_map(words);
    let listed = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
    listed.filter_map(Value::as_str).map(str::to_owned).chain(alternatives).collect()
}

/// `table.key`.
pub(crate) fn join(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_forms_and_bounds() {
        let root = Kind::root();
        assert!(matches!(root.at("delivery.lanes"), Some(Kind::Integer { min: 1, max: 1024 })));
        assert!(matches!(root.at("redis.password"), Some(Kind::Text(Form::Secret))));
        assert!(matches!(root.at("redis.url"), Some(Kind::Text(Form::RedisUrl))));
        assert!(matches!(root.at("http.wait"), Some(Kind::Text(Form::Duration))));
        assert!(matches!(root.at("admin"), Some(Kind::Table(_))));
        assert!(
            matches!(root.at("log.user_ids"), Some(Kind::Word(words)) if words == &["hashed", "plain"])
        );
        assert!(root.at("kafak").is_none());
    }

    #[test]
    fn all_below_a_map_is_of_the_map() {
        let root = Kind::root();
        assert!(matches!(root.at("kafka.librdkafka"), Some(Kind::Map(Form::Secret))));
        assert!(matches!(root.at("kafka.librdkafka.client.rack"), Some(Kind::Map(_))));
        assert!(matches!(
            root.at("dead_letter.breaker.ratio"),
            Some(Kind::Fraction { min: 0.0, max: 1.0 })
        ));
    }

    #[test]
    fn a_slip_finds_its_key() {
        let root = Kind::root();
        for (typed, meant) in [
            ("redis.ulr", "redis.url"),
            ("redis.passwrd", "redis.password"),
            ("htp", "http"),
            ("server_name", "redis.tls.server_name"),
            ("http.sources[].writekey", "http.sources[].write_key"),
            ("delivery.max_inflight", "delivery.max_in_flight"),
        ] {
            assert_eq!(root.nearest(typed), meant);
        }
    }
}
