//! One layer against what each key takes: unknown keys, wrong types, ranges, forms.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::key_kind::{Form, KeyKind, join};
use super::long_span::parse_long_duration;
use super::quotable::{is_plain_name, quotable};
use super::report::{ConfigReport, ValueOrigin};
use super::tree::flatten;
use super::units::{parse_address, parse_duration, parse_size};

pub(crate) struct Check<'a> {
    pub(crate) root: &'a KeyKind,
    pub(crate) origin: &'a ValueOrigin,
    /// Everything was typed as text: numbers and lists are read out of it.
    pub(crate) textual: bool,
    pub(crate) report: &'a mut ConfigReport,
}

impl Check<'_> {
    /// The layer `tree` without all that is wrong, which is reported. `null` and `""` become
    /// `null`: unset, but where an empty text is a value of its own.
    pub(crate) fn layer(mut self, tree: Value) -> Map<String, Value> {
        match self.value(self.root, "", tree) {
            Some(Value::Object(table)) => table,
            _ => Map::new(),
        }
    }

    fn value(&mut self, kind: &KeyKind, path: &str, value: Value) -> Option<Value> {
        match (kind, value) {
            (KeyKind::Table(keys), Value::Object(table)) => {
                let fields = table.into_iter().filter_map(|(name, value)| {
                    let path = join(path, &name);
                    let Some(kind) = keys.get(&name) else {
                        self.unknown(path, &value);
                        return None;
                    };
                    self.value(kind, &path, value).map(|value| (name, value))
                });
                Some(Value::Object(fields.collect()))
            }
            (KeyKind::Map(form), Value::Object(table)) => {
                Some(self.map(*form, path, &Value::Object(table)))
            }
            (KeyKind::Table(_) | KeyKind::Map(_), Value::Null) => Some(Value::Object(Map::new())),
            (_, Value::Null) => Some(Value::Null),
            (KeyKind::Text(Form::OrEmpty), text @ Value::String(_)) => Some(text),
            (_, Value::String(text)) if text.is_empty() => Some(Value::Null),
            (KeyKind::List(item), Value::Array(items)) => {
                let items = items.into_iter().enumerate().filter_map(|(n, value)| match value {
                    // An empty entry of a list is an error: left out, it would go unnoticed.
                    Value::String(text) if text.is_empty() => match **item {
                        KeyKind::Text(form) | KeyKind::Either(form, _) => {
                            self.text(form, &format!("{path}[{n}]"), text)
                        }
                        _ => Some(Value::String(text)),
                    },
                    value => self
                        .value(item, &format!("{path}[{n}]"), value)
                        .filter(|value| !value.is_null()),
                });
                Some(items.collect())
            }
            (KeyKind::List(item), Value::String(text))
                if self.textual && !matches!(**item, KeyKind::Table(_)) =>
            {
                let items = text.split(',').map(|item| Value::from(item.trim())).collect();
                self.value(kind, path, Value::Array(items))
            }
            (KeyKind::Either(form, _), Value::String(text)) => {
                self.value(&KeyKind::Text(*form), path, Value::String(text))
            }
            (KeyKind::Either(_, table), value @ Value::Object(_)) => self.value(table, path, value),
            (KeyKind::Boolean, Value::Bool(value)) => Some(value.into()),
            (KeyKind::Boolean, Value::String(text)) if self.textual => {
                let read = text.parse::<bool>().map(Value::from);
                self.parsed(path, read.map_err(|_| format!("{text:?} is not true or false")))
            }
            (KeyKind::Integer { min, max }, Value::Number(number)) => {
                self.integer(path, number.as_i64(), *min..=*max, &number)
            }
            (KeyKind::Integer { min, max }, Value::String(text)) if self.textual => {
                match text.parse::<i64>() {
                    Ok(number) => self.integer(path, Some(number), *min..=*max, &number),
                    Err(_) => self.parsed(path, Err(format!("{text:?} is not a whole number"))),
                }
            }
            (KeyKind::Fraction { min, max }, Value::Number(number)) => {
                self.fraction(path, number.as_f64(), *min..=*max, &number)
            }
            (KeyKind::Fraction { min, max }, Value::String(text)) if self.textual => {
                self.fraction(path, text.parse().ok(), *min..=*max, &text)
            }
            (KeyKind::Word(words), Value::String(word)) => {
                let known = words.contains(&word);
                let error = || format!("{word:?} is not known; known are: {}", words.join(", "));
                self.parsed(path, if known { Ok(Value::String(word)) } else { Err(error()) })
            }
            (KeyKind::Text(form), Value::String(text)) => self.text(*form, path, text),
            (kind, value) => self.parsed(
                path,
                Err(format!("expected {}, found {}", kind.expected(), found(&value))),
            ),
        }
    }

    fn text(&mut self, form: Form, path: &str, text: String) -> Option<Value> {
        let read = match form {
            Form::Plain | Form::OrEmpty | Form::Secret => Ok(()),
            Form::Duration => parse_duration(&text).map(drop),
            Form::LongDuration => parse_long_duration(&text).map(drop),
            Form::Size => parse_size(&text).map(drop),
            Form::Address => parse_address(&text).map(drop),
            Form::Section(form) => (form.check)(&text),
        };
        self.parsed(path, read.map(|()| Value::String(text)))
    }

    fn integer(
        &mut self,
        path: &str,
        number: Option<i64>,
        range: RangeInclusive<i64>,
        typed: &dyn std::fmt::Display,
    ) -> Option<Value> {
        let read = match number {
            Some(number) if range.contains(&number) => Ok(number.into()),
            _ if *range.end() == i64::MAX => {
                Err(format!("{typed} is not a whole number from {}", range.start()))
            }
            _ => Err(format!(
                "{typed} is not a whole number from {} to {}",
                range.start(),
                range.end()
            )),
        };
        self.parsed(path, read)
    }

    fn fraction(
        &mut self,
        path: &str,
        number: Option<f64>,
        range: RangeInclusive<f64>,
        typed: &dyn std::fmt::Display,
    ) -> Option<Value> {
        let read = match number {
            Some(number) if range.contains(&number) => Ok(number.into()),
            _ => Err(format!("{typed} is not a number from {} to {}", range.start(), range.end())),
        };
        self.parsed(path, read)
    }

    /// Names with dots may have come as tables; numbers and booleans are texts here.
    fn map(&mut self, form: Form, path: &str, table: &Value) -> Value {
        let mut leaves = Vec::new();
        flatten(table, "", &mut leaves);
        let texts = leaves.into_iter().filter_map(|(name, value)| {
            // The name is free text, too: it may be a secret.
            let shown = match form {
                Form::Secret if is_plain_name(&name) => name.clone(),
                Form::Secret => "***".to_owned(),
                _ => quotable(&name),
            };
            let path = join(path, &shown);
            let value = match value {
                Value::Number(_) | Value::Bool(_) => value.to_string().into(),
                value => value,
            };
            let text = match value {
                Value::Null | Value::String(_) => self.value(&KeyKind::Text(form), &path, value),
                value => {
                    self.parsed(&path, Err(format!("expected a text, found {}", found(&value))))
                }
            };
            Some((name, text?))
        });
        texts.collect()
    }

    fn parsed(&mut self, path: &str, value: Result<Value, String>) -> Option<Value> {
        value.map_err(|error| self.report.error_at(path, self.origin, error)).ok()
    }

    /// Names the one key that was typed, or the table that holds several.
    fn unknown(&mut self, mut path: String, mut value: &Value) {
        while let Value::Object(table) = value
            && let (Some((name, inner)), 1) = (table.iter().next(), table.len())
        {
            (path, value) = (join(&path, name), inner);
        }
        let shape = path
            .split('.')
            .map(|name| name.split('[').next().unwrap_or(name).to_owned() + list_mark(name));
        let nearest = self.root.nearest(&shape.collect::<Vec<_>>().join("."));
        self.report.error_at(
            &path,
            self.origin,
            format_args!("unknown key; the nearest known key is {nearest}"),
        );
    }
}

/// `[]` for a name with an index.
fn list_mark(name: &str) -> &'static str {
    if name.contains('[') { "[]" } else { "" }
}

/// The type of a value; its content is never quoted.
fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false without quotes",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
