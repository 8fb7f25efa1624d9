//! Layers of typed values: files, RudderStack settings, variables and flags, laid over each other.
//!
//! The `config` crate reads the files. Laying over is done here, because the crate forgets which
//! variable or flag a value came from and stops at the first error; each layer is checked by
//! itself, so a wrong value is told even where a later layer hides it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{FileFormat, Format as _, ValueKind};
use serde_json::{Map, Value};

use super::check::Check;
use super::kinds::{Form, Kind, join};
use super::report::{Origin, Report};
use super::variables;

/// Where a configuration is read from. Nothing else is looked at: no other file, no other variable.
/// Not `Debug`: flags and variables hold secrets.
#[derive(Clone, Default)]
pub struct ConfigArgs {
    /// Later ones win, tables merge.
    pub files: Vec<PathBuf>,
    /// `path.to.key=value`, later ones win.
    pub set: Vec<String>,
    /// Another system's settings, which stand for the `[redis]` section.
    pub settings: Option<SettingsLayer>,
    /// The process's environment: `TRAITSINK_*__*` and what the default of `data_dir` needs.
    pub environment: BTreeMap<OsString, OsString>,
    /// A verb's own defaults, below everything else: the verb, and TOML.
    pub preset: Option<(&'static str, &'static str)>,
    /// What dedicated flags say, above everything else: flag, key, value.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// Another system's settings for Redis, as far as they could be read.
#[derive(Clone)]
pub struct SettingsLayer {
    /// How messages name them, such as `RudderStack settings FILE`.
    pub origin: String,
    /// `{"redis": {...}}` and warnings, or all that is wrong with the settings.
    pub read: Result<(Value, Vec<String>), Vec<String>>,
}

impl ConfigArgs {
    /// Whether anything was configured at all.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.set.is_empty()
            && self.settings.is_none()
            && self.variables().next().is_none()
    }

    /// The variables that are keys: name, path and value.
    fn variables(&self) -> impl Iterator<Item = (String, String, &OsString)> {
        self.environment.iter().filter_map(|(name, value)| {
            let name = name.to_str()?;
            let path = match name.strip_prefix("TRAITSINK__") {
                Some(top) if !top.contains("__") => top.to_owned(),
                _ => name
                    .strip_prefix("TRAITSINK_")
                    .filter(|path| path.contains("__"))?
                    .replace("__", "."),
            };
            (!value.is_empty()).then(|| (name.to_owned(), path.to_lowercase(), value))
        })
    }
}

/// All layers over each other. What is wrong goes to `report`, which also learns where each key was
/// given.
pub(crate) fn gather(args: &ConfigArgs, root: &Kind, report: &mut Report) -> Map<String, Value> {
    let mut layers = Layers { root, report, tree: Map::new() };
    if args.files.is_empty() {
        layers.tree.insert("http".into(), Value::Object(Map::new()));
    }
    if let Some((verb, text)) = args.preset {
        layers.file(Origin::Preset(verb), FileFormat::Toml, text);
    }
    if let Some(settings) = &args.settings {
        layers.settings(settings);
    }
    let settings = layers.tree.clone();
    for path in &args.files {
        layers.read(path);
    }
    variables::ignored(root, &args.environment)
        .into_iter()
        .for_each(|warning| layers.report.warn(warning));
    for (name, path, value) in args.variables() {
        let origin = Origin::Variable(name);
        match value.to_str() {
            Some(value) => layers.text(origin, &path, Value::String(value.into())),
            None => layers.report.error_in(&origin, "is not valid UTF-8"),
        }
    }
    for set in &args.set {
        match set.split_once('=') {
            Some((path, value)) => layers.set(path.trim(), value),
            None => layers.report.error_in(&Origin::Set, "expected path.to.key=value"),
        }
    }
    if let Some(layer) = &args.settings {
        layers.agree(&settings, &layer.origin);
    }
    for (flag, key, value) in &args.flags {
        layers.text(Origin::Flag(flag), key, Value::String(value.clone()));
    }
    layers.tree
}

struct Layers<'a> {
    root: &'a Kind,
    report: &'a mut Report,
    tree: Map<String, Value>,
}

impl Layers<'_> {
    fn read(&mut self, path: &Path) {
        let origin = Origin::File(path.to_owned());
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => FileFormat::Toml,
            Some("yaml" | "yml") => FileFormat::Yaml,
            Some("json") => FileFormat::Json,
            _ => {
                return self.report.error_in(
                    &origin,
                    "the extension tells the format: .toml, .yaml, .yml or .json",
                );
            }
        };
        match std::fs::read_to_string(path) {
            Ok(text) => self.file(origin, format, text.strip_prefix('\u{feff}').unwrap_or(&text)),
            Err(error) => self.report.error_in(&origin, format_args!("cannot be read: {error}")),
        }
    }

    fn file(&mut self, origin: Origin, format: FileFormat, text: &str) {
        match format.parse(None, text) {
            Ok(table) => self.lay(&origin, false, to_json(ValueKind::Table(table))),
            Err(error) => self.report.error_in(&origin, syntax_error(error.as_ref(), text)),
        }
    }

    fn settings(&mut self, settings: &SettingsLayer) {
        let origin = Origin::Settings(settings.origin.clone());
        match &settings.read {
            Ok((tree, warnings)) => {
                for warning in warnings {
                    self.report.warn(format!("{origin}: {warning}"));
                }
                self.lay(&origin, false, tree.clone());
            }
            Err(errors) => {
                errors.iter().for_each(|error| self.report.error_in(&origin, error));
            }
        }
    }

    /// One key from `--set`: TOML, or else a plain string. A key that takes text takes `7` and
    /// `true` as text too.
    fn set(&mut self, path: &str, text: &str) {
        let is_text =
            matches!(self.root.at(path), Some(Kind::Text(_) | Kind::Word(_) | Kind::Map(_)));
        let value = match text.parse::<toml::Value>() {
            Ok(toml::Value::String(text)) => Value::String(text),
            Ok(value @ (toml::Value::Array(_) | toml::Value::Table(_))) => from_toml(value),
            Ok(value) if !is_text => from_toml(value),
            Ok(_) | Err(_) => Value::String(text.into()),
        };
        self.text(Origin::Set, path, value);
    }

    /// One key that was typed as text.
    fn text(&mut self, origin: Origin, path: &str, value: Value) {
        let nest = |value, name: &str| Value::Object(Map::from_iter([(name.to_owned(), value)]));
        self.lay(&origin, true, path.rsplit('.').fold(value, nest));
    }

    /// Checks one layer and lays it over the others.
    fn lay(&mut self, origin: &Origin, textual: bool, tree: Value) {
        let checked = Check { root: self.root, origin, textual, report: self.report }.layer(tree);
        merge(&mut self.tree, checked, "", origin, self.report);
    }

    /// Another system's settings are the whole `[redis]` section: layers over them must say the
    /// same. `origin` is how messages name them.
    fn agree(&mut self, settings: &Map<String, Value>, origin: &str) {
        let mut leaves = Vec::new();
        settings.get("redis").into_iter().for_each(|redis| flatten(redis, "redis", &mut leaves));
        for (key, said) in leaves {
            let now = key
                .split('.')
                .try_fold(&Value::Object(self.tree.clone()), |at, name| at.get(name))
                .cloned();
            if now.as_ref() == Some(&said) {
                continue;
            }
            let secret =
                matches!(self.root.at(&key), Some(Kind::Text(Form::Secret | Form::RedisUrl)));
            let values = match &now {
                Some(now) if !secret => format!("{now} differs from {said} in"),
                _ => "differs from".to_owned(),
            };
            self.report.error(
                &key,
                format_args!("{values} the {origin}, which stand for [redis]: remove one"),
            );
        }
    }
}

/// All values that are no tables, with their paths.
pub(crate) fn flatten(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(table) => {
            table.iter().for_each(|(name, value)| flatten(value, &join(path, name), out))
        }
        leaf => out.push((path.to_owned(), leaf.clone())),
    }
}

/// `null` stands for "as if it had never been given".
fn merge(
    into: &mut Map<String, Value>,
    from: Map<String, Value>,
    at: &str,
    origin: &Origin,
    report: &mut Report,
) {
    for (name, value) in from {
        let path = join(at, &name);
        match value {
            Value::Null => {
                into.remove(&name);
                report.forget(&path);
            }
            Value::Object(table) => {
                report.give(&path, origin);
                let slot = into.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(slot) = slot {
                    merge(slot, table, &path, origin, report);
                }
            }
            leaf => {
                report.give(&path, origin);
                into.insert(name, leaf);
            }
        }
    }
}

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

fn from_toml(value: toml::Value) -> Value {
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
