//! How commands end, and what they print.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use tokio::runtime::Builder;

use crate::app::StartError;
use crate::config::{ConfigArgs, Loaded, load};
use crate::exit::Exit;
use crate::logging;

/// The configuration, or all its errors on standard error and the exit code for them.
pub(crate) fn configured(args: &ConfigArgs) -> Result<Loaded, ExitCode> {
    load(args).map_err(|errors| {
        misconfigured(&errors.iter().map(ToString::to_string).collect::<Vec<_>>())
    })
}

/// Says on standard error what is wrong with the configuration, one line each.
pub(crate) fn misconfigured(errors: &[String]) -> ExitCode {
    let plural = if errors.len() == 1 { "" } else { "s" };
    complain(&format!(
        "traitsink: {} error{plural} in the configuration (`traitsink config default` shows every \
         key)\n{}",
        errors.len(),
        errors.join("\n")
    ));
    Exit::CONFIG.into()
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

/// Prints on standard error; waits for a reader only before logging has started.
pub(crate) fn complain(text: &str) {
    logging::say(text);
}

/// Runs a command that waits for things, and says why it could not start.
pub(crate) fn in_runtime(command: impl Future<Output = Result<ExitCode, StartError>>) -> ExitCode {
    run_in(Builder::new_multi_thread(), command)
}

/// The same for a command one thread of which is busy all the time: the others share the other
/// processors. A thread more would only take turns with that one.
pub(crate) fn in_runtime_beside_a_thread(
    command: impl Future<Output = Result<ExitCode, StartError>>,
) -> ExitCode {
    let mut runtime = Builder::new_multi_thread();
    // The variable is tokio's own.
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none()
        && let Ok(processors) = std::thread::available_parallelism()
    {
        runtime.worker_threads((processors.get() - 1).max(1));
    }
    run_in(runtime, command)
}

fn run_in(
    mut runtime: Builder,
    command: impl Future<Output = Result<ExitCode, StartError>>,
) -> ExitCode {
    let runtime = match runtime.enable_all().build() {
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
