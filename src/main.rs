//! Parse arguments, run the command, exit.

use std::process::ExitCode;

/// Events are made on one thread and dropped on another, where the system's allocator spends its time on locks.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(all(feature = "mimalloc", unix))]
    return_memory_at_once();
    // Fails only if there is a provider already; a `rediss://` connection panics without one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    traitsink::commands::execute(std::env::args_os())
}

/// Lets the allocator give freed memory back to the system at once, so that what clients sent in a burst does not stay resident.
///
/// The allocator reads its options from the environment before `main`, so the program starts itself again in the same process. A
/// value that is there already stays, and where the start fails the allocator gives memory back later.
#[cfg(all(feature = "mimalloc", unix))]
fn return_memory_at_once() {
    use std::os::unix::process::CommandExt as _;
    const OPTION: &str = "MIMALLOC_PURGE_DELAY";
    if std::env::var_os(OPTION).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    arguments.next().into_iter().for_each(|name| _ = command.arg0(name));
    let _failed = command.args(arguments).env(OPTION, "0").exec();
}
