//! The verbs, one file each.

#[cfg(feature = "mimalloc")]
mod allocator;
mod check;
mod completions;
mod config;
mod connect;
mod demo;
mod exit;
mod explain;
mod import;
mod live;
mod man;
mod profile_summary;
mod replay;
mod run;
mod stop;
mod tap;
mod top;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::cli::{self, Invocation, Verb};
use crate::exit::Exit;

pub use explain::explain;

/// From the command line to the exit code.
pub fn execute(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Invocation { options, verb } = match cli::parse(args) {
        Ok(invocation) => invocation,
        Err(error) => return usage(&error),
    };
    match verb {
        Verb::Run { rudderstack } => run::run(&options, rudderstack.file),
        Verb::Demo { once } => demo::demo(&options, once),
        Verb::Check { live: Some(url), .. } => live::live(&url),
        Verb::Check { connect, rudderstack, .. } => {
            check::check(&options, connect, rudderstack.file)
        }
        Verb::Explain { prefix, now } => explain::explain_stdin(&options, prefix, now),
        Verb::Replay(args) => replay::replay(&options, args),
        Verb::Top { urls } => top::top(&urls),
        Verb::Tap { url, limit } => tap::tap(url.as_deref(), limit, options.quiet()),
        Verb::Config(verb) => config::config(&options, verb),
        Verb::Completions { shell } => completions::completions(shell),
        Verb::Man => man::man(),
    }
}

/// Help and version are what was asked for; anything else is a wrong command line.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => exit::print(&text.to_string()),
        _ => {
            exit::complain(text.to_string().trim_end());
            Exit::USAGE.into()
        }
    }
}
