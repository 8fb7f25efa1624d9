//! Parse arguments, run the command, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails only if there is a provider already; a `rediss://` connection panics without one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    traitsink::commands::execute(std::env::args_os())
}
