//! How commands end: exit codes as in sysexits.h, and what they print.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::config::{ConfigArgs, Loaded, load};

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

/// The command line is wrong.
pub(crate) const USAGE: Exit = Exit(64);
/// Something outside cannot be used: a server, a port.
pub(crate) const UNAVAILABLE: Exit = Exit(69);
/// Reading or writing failed.
pub(crate) const IO: Exit = Exit(74);
/// The configuration is wrong.
pub(crate) const CONFIG: Exit = Exit(78);

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// The configuration, or all its errors on standard error and the exit code for them.
pub(crate) fn configured(args: &ConfigArgs) -> Result<Loaded, ExitCode> {
    load(args).map_err(|errors| misconfigured(&errors.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// Says on standard error what is wrong with the configuration, one line each.
pub(crate) fn misconfigured(errors: &[String]) -> ExitCode {
    let plural = if errors.len() == 1 { "" } else { "s" };
    complain(&format!(
        "traitsink: {} error{plural} in the configuration (`traitsink config default` shows every key)\n{}",
        errors.len(),
        errors.join("\n")
    ));
    CONFIG.into()
}

/// Prints on standard output. A reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let line_end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(stdout, "{text}{line_end}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format!("traitsink: standard output: {error}"));
            IO.into()
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Prints on standard error, where nothing is left to do if that fails.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
