//! How commands end, and what they print.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::app::StartError;
use crate::config::{ConfigArgs, ConfigErrors, Loaded, load};
use crate::exit::Exit;

/// The configuration, or all its errors on standard error and the exit code for them.
pub(crate) fn configured(args: &ConfigArgs) -> Result<Loaded, ExitCode> {
    load(args).map_err(|errors| {
        complain(&describe(&errors));
        Exit::CONFIG.into()
    })
}

fn describe(errors: &ConfigErrors) -> String {
    let count = match errors.iter().len() {
        1 => "1 error".to_owned(),
        n => format!("{n} errors"),
    };
    format!("traitsink: {count} in the configuration (`traitsink config default` shows every key)\n{errors}")
}

/// Prints on standard output. A reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let line_end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(stdout, "{text}{line_end}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format!("traitsink: standard output: {error}"));
            Exit::IO.into()
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Prints on standard error, where nothing is left to do if that fails.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Runs a command that waits for things, and says why it could not start.
pub(crate) fn in_runtime(command: impl Future<Output = Result<ExitCode, StartError>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("traitsink: cannot start threads: {error}"));
            return Exit::INTERNAL.into();
        }
    };
    let code = runtime.block_on(command).unwrap_or_else(|error| {
        complain(&format!("traitsink: {}", error.message));
        error.code.into()
    });
    // A thread that is blocked, on reading standard input for one, must not hold up the exit.
    runtime.shutdown_background();
    code
}
