//! The forms in which other systems keep their settings, and the variables in them.

use config::{FileFormat, Format as _, ValueKind};
use serde_json::{Map, Value};

use crate::config::{syntax_error, to_json};

/// Asks for an environment variable by its name.
pub(super) type VariableLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A table of options.
pub(super) type Table = Map<String, Value>;

pub(super) fn yaml_or_json(text: &str) -> Result<Table, String> {
    parse(if is_json(text) { FileFormat::Json } else { FileFormat::Yaml }, text)
}

pub(super) fn toml_or_json(text: &str) -> Result<Table, String> {
    parse(if is_json(text) { FileFormat::Json } else { FileFormat::Toml }, text)
}

/// Lines `a.b.c = value`, or YAML or JSON whose keys may be dotted; the result is nested either
/// way.
pub(super) fn properties_yaml_or_json(text: &str) -> Result<Table, String> {
    let table = match properties(text) {
        Some(table) => table,
        None => yaml_or_json(text)?,
    };
    let mut nested = Map::new();
    nest(table, &mut nested);
    Ok(nested)
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

fn parse(format: FileFormat, text: &str) -> Result<Table, String> {
    let table = format
        .parse(None, text)
        .map_err(|error| format!("is not valid: {}", syntax_error(error.as_ref(), text)))?;
    match to_json(ValueKind::Table(table)) {
        Value::Object(table) => Ok(table),
        _ => Err("is not a table of settings".into()),
    }
}

/// `None` unless every line that says something is `name = value`.
fn properties(text: &str) -> Option<Table> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
    lines
        .map(|line| {
            let (name, value) = line.split_once('=')?;
            let name = name.trim_end();
            let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
            let value = value.trim();
            let value = ['"', '\'']
                .iter()
                .find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q))
                .unwrap_or(value);
            (is_name && !name.is_empty()).then(|| (name.to_owned(), Value::from(value)))
        })
        .collect::<Option<Table>>()
        .filter(|table| !table.is_empty())
}

/// Makes tables of dotted keys.
fn nest(from: Table, into: &mut Table) {
    for (name, value) in from {
        let mut parts: Vec<_> = name.split('.').collect();
        let last = parts.pop().unwrap_or_default().to_owned();
        let mut at = &mut *into;
        for part in parts {
            let slot = at.entry(part).or_insert_with(|| Value::Object(Map::new()));
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            let Value::Object(table) = slot else { return };
            at = table;
        }
        match value {
            Value::Object(inner) => {
                let slot = at.entry(last).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(table) = slot {
                    nest(inner, table);
                }
            }
            leaf => {
                at.insert(last, leaf);
            }
        }
    }
}

/// How a system writes "the environment variable NAME": `open`, `mark`, the name, `close`; blanks
/// may stand around.
#[derive(Clone, Copy)]
pub(super) struct Variables<'a> {
    pub(super) open: &'static str,
    pub(super) mark: &'static str,
    pub(super) close: &'static str,
    pub(super) value: VariableLookup<'a>,
}

impl Variables<'_> {
    /// The text with its variables filled in, or the name of one that is not set.
    pub(super) fn fill(&self, text: &str) -> Result<String, String> {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, behind)) = rest.split_once(self.open) {
            filled.push_str(before);
            let name = behind.split_once(self.close).and_then(|(name, behind)| {
                let name = name.trim().strip_prefix(self.mark)?;
                Some((name, behind))
            });
            match name {
                Some((name, behind)) => {
                    filled.push_str(&(self.value)(name).ok_or(name)?);
                    rest = behind;
                }
                None => {
                    filled.push_str(self.open);
                    rest = behind;
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_and_nested_keys_are_the_same() {
        let nested = yaml_or_json("a: {b: {c: '1', d: x}}\ne: '2'").unwrap();
        for text in [
            "a.b.c=1\n# note\n\n a.b.d = \"x\"\ne=2",
            "a.b.c: '1'\na.b: {d: x}\ne: '2'",
            r#"{"a.b": {"c": "1", "d": "x"}, "e": "2"}"#,
        ] {
            assert_eq!(properties_yaml_or_json(text).unwrap(), nested, "{text}");
        }
    }

    #[test]
    fn variables_are_filled_in_or_named() {
        let value = |name: &str| (name == "A").then(|| "1".to_owned());
        let shell = Variables { open: "${", mark: "", close: "}", value: &value };
        assert_eq!(shell.fill("x${A}y${A}"), Ok("x1y1".into()));
        assert_eq!(shell.fill("${B}"), Err("B".into()));
        assert_eq!(shell.fill("${A"), Ok("${A".into()));
        let go = Variables { open: "{{", mark: ".", close: "}}", value: &value };
        assert_eq!(go.fill("{{ .A }}{{ event.b }}"), Ok("1{{ event.b }}".into()));
    }
}
