//! Everything that is wrong with a configuration, gathered, so that it is said all at once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::units::Span;

/// Where a value was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueOrigin {
    /// A verb's own preset, below everything that was typed.
    Preset(&'static str),
    File(PathBuf),
    /// Another system's settings, which stand for `[redis]`: how messages name them.
    Settings(String),
    Variable(String),
    Set,
    /// A dedicated flag, such as `--log-format`.
    Flag(&'static str),
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset(verb) => write!(f, "preset of `{verb}`"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Settings(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Set => f.write_str("--set"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One thing that is wrong. Its text never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All errors, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The errors in the order in which they were found.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            let line_end = if n == 0 { "" } else { "\n" };
            write!(f, "{line_end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Collects errors and warnings while the sections are checked, and knows which keys were given and
/// where.
#[derive(Default)]
pub(crate) struct ConfigReport {
    origins: BTreeMap<String, ValueOrigin>,
    errors: Vec<ConfigError>,
    warnings: Vec<String>,
}

impl ConfigReport {
    /// Remembers where `key` was given; the last call wins.
    pub(crate) fn give(&mut self, key: &str, origin: &ValueOrigin) {
        self.origins.insert(key.to_owned(), origin.clone());
    }

    /// Forgets `key` and all below it.
    pub(crate) fn forget(&mut self, key: &str) {
        self.origins.retain(|known, _| {
            known != key && !known.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'))
        });
    }

    pub(crate) fn given(&self, key: &str) -> bool {
        self.origins.contains_key(key)
    }

    /// Whether any key of `table` was given.
    pub(crate) fn given_below(&self, table: &str) -> bool {
        let below = |key: &String| key.strip_prefix(table).is_some_and(|key| key.starts_with('.'));
        self.origins.keys().any(below)
    }

    /// Where `key` was given; a key inside a list came from where the list did.
    pub(crate) fn origin(&self, key: &str) -> Option<&ValueOrigin> {
        let list = key.split('[').next().unwrap_or(key);
        self.origins.get(key).or_else(|| self.origins.get(list))
    }

    /// Something is wrong with the value of `key`.
    pub(crate) fn error(&mut self, key: &str, text: impl fmt::Display) {
        let place = self.place(key);
        self.errors.push(ConfigError(format!("{place}: {text}")));
    }

    /// Something is wrong with `key` as `origin` gives it.
    pub(crate) fn error_at(&mut self, key: &str, origin: &ValueOrigin, text: impl fmt::Display) {
        self.errors.push(ConfigError(format!("{key} ({origin}): {text}")));
    }

    /// Something is wrong with a whole file or variable.
    pub(crate) fn error_in(&mut self, origin: &ValueOrigin, text: impl fmt::Display) {
        self.errors.push(ConfigError(format!("{origin}: {text}")));
    }

    /// An error if `key` was given although it changes nothing; `why` completes "has no effect
    /// ...".
    pub(crate) fn no_effect(&mut self, key: &str, why: &str) {
        if self.given(key) {
            self.error(key, format_args!("has no effect {why}"));
        }
    }

    /// An error if a duration that must be longer than zero is zero.
    pub(crate) fn not_zero(&mut self, key: &str, span: Span) {
        if span.0.is_zero() {
            self.error(key, "must be longer than 0s");
        }
    }

    /// An error naming both keys with their values unless the first is at most the second, as
    /// `holds` says.
    pub(crate) fn ordered(
        &mut self,
        (less, low): (&str, String),
        (more, high): (&str, String),
        holds: bool,
    ) {
        if !holds {
            let more = self.place(more);
            self.error(less, format_args!("{low} is more than {high}, which is {more}"));
        }
    }

    /// `key` with its origin, for messages: `redis.url (file a.toml)`.
    pub(crate) fn place(&self, key: &str) -> String {
        match self.origin(key) {
            Some(origin) => format!("{key} ({origin})"),
            None => key.to_owned(),
        }
    }

    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// The warnings, or all errors.
    pub(crate) fn finish(self) -> Result<Vec<String>, ConfigErrors> {
        if self.errors.is_empty() { Ok(self.warnings) } else { Err(ConfigErrors(self.errors)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgetting_a_table_forgets_its_keys_only() {
        let mut report = ConfigReport::default();
        for key in ["redis", "redis.tls", "redis.tls.ca_file", "redis.tls_like"] {
            report.give(key, &ValueOrigin::Set);
        }
        report.forget("redis.tls");
        assert!(report.given("redis") && report.given("redis.tls_like"));
        assert!(!report.given("redis.tls") && !report.given("redis.tls.ca_file"));
    }

    #[test]
    fn a_key_in_a_list_has_the_origin_of_the_list() {
        let mut report = ConfigReport::default();
        report.give("http.sources", &ValueOrigin::Variable("V".into()));
        report.error("http.sources[1].prefix", "wrong");
        let errors = report.finish().unwrap_err();
        assert_eq!(errors.to_string(), "http.sources[1].prefix (variable V): wrong");
    }
}
