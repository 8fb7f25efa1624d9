//! `config show`, `config default`, `config schema`; `config import` has a file of its own.

use std::process::ExitCode;

use crate::cli::{ConfigVerb, Options};
use crate::config::{default_file, schema};

use super::{exit, import};

/// Prints the configuration that `verb` asks for.
pub(super) fn config(options: &Options, verb: ConfigVerb) -> ExitCode {
    match verb {
        ConfigVerb::Show => match exit::configured(&options.config_args()) {
            Ok(loaded) => exit::print(&loaded.to_toml()),
            Err(code) => code,
        },
        ConfigVerb::Default => exit::print(&default_file()),
        ConfigVerb::Import { from, file } => import::import(from, &file),
        ConfigVerb::Schema => exit::print(&format!("{:#}", schema())),
    }
}
