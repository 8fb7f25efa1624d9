//! Options are taken out of a file one by one, each with its note; those that are left in the end
//! are unknown.

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::print_duration;

use super::address::ServerAddress;
use super::draft::{Draft, Import, NoteKind};
use super::syntax::Variables;

/// Longest that a timer here waits.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest `delivery.retry_count` and `redis.cluster.max_redirections`.
const MOST_RETRIES: i64 = 100;

/// Options that are left, and what those taken so far came to.
pub(super) struct Transfer {
    options: Map<String, Value>,
    pub(super) draft: Draft,
}

impl Transfer {
    pub(super) fn new(options: Map<String, Value>) -> Self {
        Self { options, draft: Draft::default() }
    }

    /// Fills in variables everywhere. An option with one that is not set is noted and taken out.
    pub(super) fn fill_in(&mut self, variables: &Variables<'_>) {
        let draft = &mut self.draft;
        for (name, value) in &mut self.options {
            each_text(value, name, &mut |path, text| match variables.fill(text) {
                Ok(filled) => Value::String(filled),
                Err(variable) => {
                    draft.note(NoteKind::Failed, path, unset(&variable));
                    Value::Null
                }
            });
        }
    }

    /// Takes an option; `null` is none. `name` is a path, such as `tls.ca`.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let (table, last) = name.rsplit_once('.').unwrap_or(("", name));
        let mut at = &mut self.options;
        for part in table.split('.').filter(|part| !part.is_empty()) {
            at = at.get_mut(part)?.as_object_mut()?;
        }
        at.remove(last).filter(|value| !value.is_null())
    }

    /// An option that is still there to be taken.
    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        let (first, rest) =
            name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        let first = self.options.get(first)?;
        let value = rest
            .into_iter()
            .flat_map(|rest| rest.split('.'))
            .try_fold(first, |at, part| at.get(part))?;
        (!value.is_null()).then_some(value)
    }

    /// Whether an option is still there to be taken.
    pub(super) fn has(&self, name: &str) -> bool {
        self.peek(name).is_some()
    }

    /// Takes an option that is a text or a number. An empty text is noted and is none.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) if text.trim().is_empty() => {
                self.idle(name, "empty");
                None
            }
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => {
                self.fail(name, "is not a text");
                None
            }
        }
    }

    /// Takes an option that is true or false.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        let flag = text.parse().ok();
        if flag.is_none() {
            self.fail(name, "is neither true nor false");
        }
        flag
    }

    /// Takes an option that is a whole number.
    pub(super) fn integer(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let text = self.text(name)?;
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.fail(
                name,
                format_args!("is not a number from {} to {}", range.start(), range.end()),
            );
        }
        number
    }

    /// Takes an option that is a port.
    pub(super) fn port(&mut self, name: &str) -> Option<u16> {
        self.integer(name, 1..=65535).and_then(|port| u16::try_from(port).ok())
    }

    /// Maps a text to `key`.
    pub(super) fn map_text(&mut self, name: &str, key: &str) {
        if let Some(text) = self.text(name) {
            self.map(name, key, text);
        }
    }

    /// Maps a secret to `key`; whether there is one.
    pub(super) fn map_secret(&mut self, name: &str, key: &str) -> bool {
        let detail = self.number_detail(name);
        let Some(text) = self.text(name) else { return false };
        self.mapped(name, key, detail);
        self.draft.set_secret(key, text);
        true
    }

    /// A detail for secrets that are not in quotes: reading numbers drops their leading zeros.
    pub(super) fn number_detail(&self, name: &str) -> &'static str {
        if self.peek(name).is_some_and(Value::is_number) {
            "a number in the file: quote it there if it begins with 0"
        } else {
            ""
        }
    }

    pub(super) fn map_integer(
        &mut self,
        name: &str,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
    ) {
        if let Some(number) = self.integer(name, range) {
            self.map(name, key, number);
        }
    }

    /// Maps after how many tries a write is given up there to `keys`.
    pub(super) fn map_retries(&mut self, name: &str, keys: &[&str]) {
        let Some(typed) = self.integer(name, 0..=i64::MAX) else { return };
        let count = typed.clamp(1, MOST_RETRIES);
        keys.iter().for_each(|key| self.draft.set(key, count));
        let limit =
            if typed > MOST_RETRIES { format!("{MOST_RETRIES} at most; ") } else { String::new() };
        self.mapped(
            name,
            &keys.join(", "),
            &format!("{limit}there a write is given up then, here it never is"),
        );
    }

    /// Maps a number of milliseconds to `key`.
    pub(super) fn map_millis(&mut self, name: &str, key: &str) {
        let Some(text) = self.text(name) else { return };
        match text.trim().parse() {
            Ok(millis) => self.map_duration(name, key, Duration::from_millis(millis)),
            Err(_) => self.fail(name, "is not a number of milliseconds"),
        }
    }

    /// Maps a duration to `key`. None at all, or one too long for a timer, means "no limit"
    /// elsewhere.
    pub(super) fn map_duration(&mut self, name: &str, key: &str, duration: Duration) {
        if duration.is_zero() || duration > LONGEST {
            self.idle(name, "no limit there; every wait ends here");
        } else {
            self.map(name, key, print_duration(&duration));
        }
    }

    /// Sets `key` to what an option that was taken says.
    pub(super) fn map(&mut self, name: &str, key: &str, value: impl Into<toml::Value>) {
        self.draft.set(key, value);
        self.mapped(name, key, "");
    }

    /// Notes that an option that was taken went to `key`.
    pub(super) fn mapped(&mut self, name: &str, key: &str, detail: &str) {
        self.draft.note(NoteKind::Mapped, format_args!("{name} -> {key}"), detail);
    }

    /// Notes where an option went that lets profiles be read from replicas.
    pub(super) fn read_from_replicas(&mut self, name: &str, read: bool) {
        self.draft.set("redis.read_from_replicas", read);
        self.mapped(
            name,
            "redis.read_from_replicas",
            "for `check`: the worker itself reads no profile",
        );
    }

    /// Takes an option, if it is there, that changes nothing here.
    pub(super) fn skip(&mut self, name: &str, why: &str) {
        if self.take(name).is_some() {
            self.idle(name, why);
        }
    }

    /// Takes all of these that are there: names, and why they change nothing here.
    pub(super) fn skip_all(&mut self, options: &[(&str, &str)]) {
        options.iter().for_each(|(name, why)| self.skip(name, why));
    }

    /// Takes an option, if it is there, for which there is nothing here yet.
    pub(super) fn later(&mut self, name: &str, what: &str) {
        if self.take(name).is_some() {
            self.draft.note(NoteKind::NotYet, name, what);
        }
    }

    /// Notes that something in the TOML was not in the file.
    pub(super) fn defaulted(&mut self, what: &str, why: &str) {
        self.draft.note(NoteKind::Defaulted, what, why);
    }

    /// Notes an option that is unknown.
    pub(super) fn unknown(&mut self, name: &str) {
        self.draft.note(NoteKind::Unknown, name, "");
    }

    /// Notes that an option that was taken changes nothing here.
    pub(super) fn idle(&mut self, name: &str, why: &str) {
        self.draft.note(NoteKind::NoMeaning, name, why);
    }

    /// Notes that an option that was taken is needed and could not be converted. `why` must not
    /// quote what may be a secret.
    pub(super) fn fail(&mut self, name: &str, why: impl Display) {
        self.draft.note(NoteKind::Failed, name, why);
    }

    /// The result, or nothing and a note.
    pub(super) fn or_fail<T>(&mut self, name: &str, result: Result<T, impl Display>) -> Option<T> {
        result.map_err(|why| self.fail(name, why)).ok()
    }

    /// One note on all settings of the file that are not about Redis.
    pub(super) fn outside<'a>(
        &mut self,
        section: &str,
        names: impl IntoIterator<Item = &'a String>,
    ) {
        let names: Vec<_> = names.into_iter().map(String::as_str).collect();
        if !names.is_empty() {
            self.draft.note(
                NoteKind::NoMeaning,
                format_args!("all outside {section}: {}", names.join(", ")),
                "",
            );
        }
    }

    /// Sets the one server of a mode that has one.
    pub(super) fn set_server(&mut self, node: &ServerAddress) {
        self.draft.set("redis.url", node.url());
    }

    /// The result; options that were not taken are unknown.
    pub(super) fn finish(mut self) -> Import {
        let mut left = Vec::new();
        self.options.iter().for_each(|(name, value)| leaves(value, name, &mut left));
        left.iter().for_each(|name| self.unknown(name));
        self.draft.finish()
    }
}

/// Why an option with a variable could not be converted.
pub(super) fn unset(variable: &str) -> String {
    format!(
        "the environment variable {variable} is not set; run {variable}=... traitsink config \
         import ..."
    )
}

/// Replaces every text in `value` by what `change` makes of its path and itself.
fn each_text(value: &mut Value, path: &str, change: &mut impl FnMut(&str, &str) -> Value) {
    match value {
        Value::String(text) => *value = change(path, text),
        Value::Array(items) => {
            items
                .iter_mut()
                .enumerate()
                .for_each(|(n, item)| each_text(item, &format!("{path}[{n}]"), change));
        }
        Value::Object(table) => {
            table
                .iter_mut()
                .for_each(|(name, item)| each_text(item, &format!("{path}.{name}"), change));
        }
        _ => (),
    }
}

/// Paths of all that is not a table.
pub(super) fn leaves(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Null => (),
        Value::Object(table) => {
            table.iter().for_each(|(name, value)| leaves(value, &format!("{path}.{name}"), out))
        }
        _ => out.push(path.to_owned()),
    }
}
