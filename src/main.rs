//! Parse arguments, run the command, exit.

use std::process::ExitCode;

/// Events are made on one thread and dropped on another, where the system's allocator spends its
/// time on locks.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Fails only if there is a provider already; a `rediss://` connection panics without one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    traitsink::commands::execute(std::env::args_os())
}
