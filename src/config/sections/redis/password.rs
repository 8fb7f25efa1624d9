//! Where Redis's password comes from.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::config::engine::report::ConfigReport;
use crate::config::engine::secrets::secret;
use crate::config::engine::units::Secret;

/// A password, or where the one for the next connection comes from.
#[derive(Debug, Clone)]
pub enum Password {
    /// Typed in place.
    Fixed(SecretString),
    /// In a file that is read again for each connection; `at_start` is what it held at the start.
    File { path: PathBuf, at_start: SecretString },
    /// The output of a program that is run for each connection: the program and its arguments, at
    /// least the former.
    Command(Vec<String>),
}

impl Password {
    /// Whether both come to the same now.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Fixed(a) | Self::File { at_start: a, .. },
                Self::Fixed(b) | Self::File { at_start: b, .. },
            ) => a.expose_secret() == b.expose_secret(),
            (Self::Command(a), Self::Command(b)) => a == b,
            _ => false,
        }
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self::Fixed(text.into())
    }
}

/// The first word of a program's name as it was typed: a whole command line with secrets may
/// follow.
pub fn program_name(program: &str) -> &str {
    program.split_whitespace().next().unwrap_or_default()
}

/// The password `key`, from its value or from the file that `{key}_file` names; both is an error.
pub(super) fn fixed_or_file(
    report: &mut ConfigReport,
    key: &str,
    text: Option<&Secret>,
    file: Option<&Path>,
) -> Option<Password> {
    let password = secret(report, key, text, file)?;
    Some(match file {
        Some(path) => Password::File { path: path.to_owned(), at_start: password },
        None => Password::Fixed(password),
    })
}

/// The keys of `[redis]` that may hold its password.
pub(super) struct PasswordKeys<'a> {
    pub(super) in_url: Option<&'a SecretString>,
    pub(super) text: Option<&'a Secret>,
    pub(super) file: Option<&'a Path>,
    pub(super) command: Option<&'a [String]>,
}

impl PasswordKeys<'_> {
    pub(super) fn resolve(&self, report: &mut ConfigReport) -> Option<Password> {
        if let Some([program, ..]) = self.command {
            return self.of_command(program, report);
        }
        let typed = fixed_or_file(report, "redis.password", self.text, self.file);
        let in_url = self.in_url.cloned().map(Password::Fixed);
        if let (Some(in_url), Some(typed)) = (&in_url, &typed)
            && !in_url.is_same(typed)
        {
            let key = if self.text.is_some() { "redis.password" } else { "redis.password_file" };
            let place = report.place(key);
            report.error("redis.url", format_args!("its password differs from {place}: give one"));
        }
        typed.or(in_url)
    }

    fn of_command(&self, program: &str, report: &mut ConfigReport) -> Option<Password> {
        const KEY: &str = "redis.password_command";
        if program.is_empty() {
            report.error(KEY, "its first word names the program to run, and is empty");
        }
        let others = [
            (self.text.is_some(), "redis.password"),
            (self.file.is_some(), "redis.password_file"),
            (self.in_url.is_some(), "redis.url"),
        ];
        for (_, other) in others.into_iter().filter(|(given, _)| *given) {
            let (password, place) =
                (if other == "redis.url" { "the password in " } else { "" }, report.place(other));
            report.error(KEY, format_args!("given beside {password}{place}: give one"));
        }
        self.command.map(|words| Password::Command(words.to_owned()))
    }
}
