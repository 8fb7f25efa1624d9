//! The kind of each key, read from the JSON schema: editors and the program check the same.

use std::collections::BTreeMap;

use serde_json::Value;

/// The kind of values that one key takes.
#[derive(Debug)]
pub(crate) enum KeyKind {
    Table(BTreeMap<String, KeyKind>),
    List(Box<KeyKind>),
    /// A text of this form, or a table.
    Either(Form, Box<KeyKind>),
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

/// The form of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Plain,
    /// Any text; an empty one is a value of its own, not a key left out.
    OrEmpty,
    Duration,
    /// A duration that may be longer than a day.
    LongDuration,
    Size,
    Address,
    Secret,
    Section(&'static TextForm),
}

/// A form of text that a section defines. Its name is the `x-form` of the schema.
#[derive(Debug)]
pub(crate) struct TextForm {
    pub(crate) name: &'static str,
    /// The error must not quote a secret.
    pub(crate) check: fn(&str) -> Result<(), String>,
    pub(crate) may_hold_secret: bool,
}

impl KeyKind {
    /// The kind of the table `schema`; `forms` are defined by the sections.
    pub(crate) fn of(schema: &Value, forms: &'static [TextForm]) -> Self {
        let form = |schema: &Value| Form::named(schema["x-form"].as_str(), forms);
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
            return Self::Either(form(text), Box::new(Self::of(table, forms)));
        }
        if let Some(present) =
            schema["anyOf"].as_array().and_then(|any| any.iter().find(|one| one["type"] != "null"))
        {
            return Self::of(present, forms);
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
                Self::Map(form(&schema["additionalProperties"]))
            }
            Some("object") => Self::Table(
                schema["properties"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(key, one)| (key.clone(), Self::of(one, forms)))
                    .collect(),
            ),
            Some("array") => Self::List(Box::new(Self::of(&schema["items"], forms))),
            Some("boolean") => Self::Boolean,
            Some("integer") => {
                Self::Integer { min: bound("minimum", 0), max: bound("maximum", i64::MAX) }
            }
            Some("number") => Self::Fraction {
                min: schema["minimum"].as_f64().unwrap_or(f64::MIN),
                max: schema["maximum"].as_f64().unwrap_or(f64::MAX),
            },
            _ => Self::Text(form(schema)),
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

    /// The known key that is nearest to `path`, an unknown one.
    pub(crate) fn nearest(&self, path: &str) -> String {
        let mut known = Vec::new();
        self.paths("", &mut known);
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        let table = |path: &str| path.rfind('.').map(|dot| path[..dot].to_owned());
        // A right name in a wrong table is nearer than two slips, but not than one. Nearer still is
        // a name with more words in the right table.
        let distance = |key: &String| match 2 * strsim::damerau_levenshtein(key, path) {
            far if far > 2
                && table(key) == table(path)
                && last(key).split('_').any(|word| word == last(path)) =>
            {
                2
            }
            far if far > 3 && last(key) == last(path) => 3,
            near => near,
        };
        // Among equals, the one that is less deep wins.
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
            Self::Text(Form::Duration | Form::LongDuration) => {
                "a duration with its unit, such as \"5s\"".into()
            }
            Self::Text(Form::Size) => "a size with its unit, such as \"4MiB\"".into(),
            Self::Text(Form::Address) => "an address such as \"127.0.0.1:8080\"".into(),
            Self::Text(_) => "a text (in quotes)".into(),
        }
    }
}

impl Form {
    fn named(name: Option<&str>, forms: &'static [TextForm]) -> Self {
        match name {
            Some("or_empty") => Self::OrEmpty,
            Some("duration") => Self::Duration,
            Some("long_duration") => Self::LongDuration,
            Some("size") => Self::Size,
            Some("address") => Self::Address,
            Some("secret") => Self::Secret,
            name => {
                forms.iter().find(|form| Some(form.name) == name).map_or(Self::Plain, Self::Section)
            }
        }
    }

    /// Whether a value of this form must not be quoted.
    pub(crate) fn may_hold_secret(self) -> bool {
        match self {
            Self::Secret => true,
            Self::Section(form) => form.may_hold_secret,
            Self::Plain
            | Self::OrEmpty
            | Self::Duration
            | Self::LongDuration
            | Self::Size
            | Self::Address => false,
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
