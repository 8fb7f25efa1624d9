//! `config import`: another system's settings for Redis as a configuration of this program.

use std::path::Path;
use std::process::ExitCode;

use crate::exit::Exit;
use crate::import::{self, System};

use super::exit;

/// Prints the configuration on standard output, and one line for each option on standard error.
pub(super) fn import(system: System, file: &Path) -> ExitCode {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            exit::complain(&format!("traitsink: {} cannot be read: {error}", file.display()));
            return Exit::IO.into();
        }
    };
    let imported = match import::import(system, &text, &|name| std::env::var(name).ok()) {
        Ok(imported) => imported,
        Err(error) => {
            exit::complain(&format!("traitsink: {} {error}", file.display()));
            return Exit::CONFIG.into();
        }
    };
    if imported.has_secrets {
        exit::complain("standard output holds secrets: keep it where only its owner can read it");
    }
    imported.notes.iter().for_each(|note| exit::complain(&note.to_string()));
    let printed = exit::print(&imported.toml);
    if printed == ExitCode::SUCCESS && !imported.is_complete() {
        Exit::CONFIG.into()
    } else {
        printed
    }
}
