//! Layers of typed values: another system's settings, files, variables and flags, laid over each
//! other.
//!
//! The `config` crate reads the files. Laying over is done here, because the crate forgets which
//! variable or flag a value came from and stops at the first error; each layer is checked by
//! itself, so a wrong value is reported even where a later layer hides it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{FileFormat, Format as _, ValueKind};
use serde_json::{Map, Value};

use super::check::Check;
use super::key_kind::{KeyKind, join};
use super::report::{ConfigReport, ValueOrigin};
use super::tree::{flatten, from_toml, syntax_error, to_json};
use super::variables;

/// Where a configuration is read from. Nothing else is looked at: no other file, no other variable.
/// Not `Debug`: flags and variables hold secrets.
#[derive(Clone, Default)]
pub struct ConfigArgs {
    /// Later ones win, tables merge.
    pub files: Vec<PathBuf>,
    /// `path.to.key=value`, later ones win.
    pub set: Vec<String>,
    /// Another system's settings, which stand for the keys that they name.
    pub settings: Option<SettingsLayer>,
    /// The process's environment: `TRAITSINK_*__*` and what the default of `data_dir` needs.
    pub environment: BTreeMap<OsString, OsString>,
    /// A verb's own defaults, below everything else: the verb, and TOML.
    pub preset: Option<(&'static str, &'static str)>,
    /// Values of dedicated flags, above everything else: flag, key, value.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// Another system's settings for some tables, as far as they could be read.
#[derive(Clone)]
pub struct SettingsLayer {
    /// How messages name them, such as `RudderStack settings FILE`.
    pub origin: String,
    /// The tables whose keys they may stand for, such as `redis`.
    pub tables: &'static [&'static str],
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

/// All layers over `base`. What is wrong goes to `report`, which also learns where each key was
/// given.
pub(crate) fn gather(
    args: &ConfigArgs,
    root: &KeyKind,
    base: Map<String, Value>,
    report: &mut ConfigReport,
) -> Map<String, Value> {
    let mut layers = Layers { root, report, tree: base };
    if let Some((verb, text)) = args.preset {
        layers.file(ValueOrigin::Preset(verb), FileFormat::Toml, text);
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
        let origin = ValueOrigin::Variable(name);
        match value.to_str() {
            Some(value) => layers.text(origin, &path, Value::String(value.into())),
            None => layers.report.error_in(&origin, "is not valid UTF-8"),
        }
    }
    for set in &args.set {
        match set.split_once('=') {
            Some((path, value)) => layers.set(path.trim(), value),
            None => layers.report.error_in(&ValueOrigin::Set, "expected path.to.key=value"),
        }
    }
    if let Some(layer) = &args.settings {
        layers.agree(&settings, layer);
    }
    for (flag, key, value) in &args.flags {
        layers.text(ValueOrigin::Flag(flag), key, Value::String(value.clone()));
    }
    layers.tree
}

struct Layers<'a> {
    root: &'a KeyKind,
    report: &'a mut ConfigReport,
    tree: Map<String, Value>,
}

impl Layers<'_> {
    fn read(&mut self, path: &Path) {
        let origin = ValueOrigin::File(path.to_owned());
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

    fn file(&mut self, origin: ValueOrigin, format: FileFormat, text: &str) {
        match format.parse(None, text) {
            Ok(table) => self.lay(&origin, false, to_json(ValueKind::Table(table))),
            Err(error) => self.report.error_in(&origin, syntax_error(error.as_ref(), text)),
        }
    }

    fn settings(&mut self, settings: &SettingsLayer) {
        let origin = ValueOrigin::Settings(settings.origin.clone());
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
        let is_text = matches!(
            self.root.at(path),
            Some(KeyKind::Text(_) | KeyKind::Word(_) | KeyKind::Map(_))
        );
        let value = match text.parse::<toml::Value>() {
            Ok(toml::Value::String(text)) => Value::String(text),
            Ok(value @ (toml::Value::Array(_) | toml::Value::Table(_))) => from_toml(value),
            Ok(value) if !is_text => from_toml(value),
            Ok(_) | Err(_) => Value::String(text.into()),
        };
        self.text(ValueOrigin::Set, path, value);
    }

    /// One key that was typed as text.
    fn text(&mut self, origin: ValueOrigin, path: &str, value: Value) {
        let nest = |value, name: &str| Value::Object(Map::from_iter([(name.to_owned(), value)]));
        self.lay(&origin, true, path.rsplit('.').fold(value, nest));
    }

    /// Checks one layer and lays it over the others.
    fn lay(&mut self, origin: &ValueOrigin, textual: bool, tree: Value) {
        let checked = Check { root: self.root, origin, textual, report: self.report }.layer(tree);
        merge(&mut self.tree, checked, "", origin, self.report);
    }

    /// Layers over another system's settings must say the same where those say something.
    /// `settings` is the tree as they left it.
    fn agree(&mut self, settings: &Map<String, Value>, layer: &SettingsLayer) {
        let SettingsLayer { origin, tables, .. } = layer;
        let said = tables.iter().flat_map(|table| {
            let mut leaves = Vec::new();
            settings.get(*table).into_iter().for_each(|value| flatten(value, table, &mut leaves));
            leaves.into_iter().map(move |(key, said)| (table, key, said))
        });
        for (table, key, said) in said {
            let now = key
                .split('.')
                .try_fold(&Value::Object(self.tree.clone()), |at, name| at.get(name))
                .cloned();
            if now.as_ref() == Some(&said) {
                continue;
            }
            let secret = matches!(
                self.root.at(&key),
                Some(KeyKind::Text(form)) if form.may_hold_secret()
            );
            let values = match &now {
                Some(now) if !secret => format!("{now} differs from {said} in"),
                _ => "differs from".to_owned(),
            };
            self.report.error(
                &key,
                format_args!("{values} the {origin}, which stand for [{table}]: remove one"),
            );
        }
    }
}

/// `null` stands for "as if it had never been given".
fn merge(
    into: &mut Map<String, Value>,
    from: Map<String, Value>,
    at: &str,
    origin: &ValueOrigin,
    report: &mut ConfigReport,
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
