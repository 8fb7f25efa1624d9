//! `completions SHELL`.

use std::process::ExitCode;

use clap_complete::{Shell as Target, generate};

use crate::cli::{Shell, command};

use super::exit;

/// Prints the completion script of `shell`.
pub(super) fn completions(shell: Shell) -> ExitCode {
    let target = match shell {
        Shell::Bash => Target::Bash,
        Shell::Zsh => Target::Zsh,
        Shell::Fish => Target::Fish,
    };
    let mut script = Vec::new();
    generate(target, &mut command(), "traitsink", &mut script);
    exit::print(&String::from_utf8_lossy(&script))
}
