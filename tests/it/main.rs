//! The one integration test binary. Where a new test goes:

/// The command line, by running the real binary: help, exit codes, what is printed and what never is.
mod cli;
/// What layers of files, variables and flags come to.
mod config;
/// The exact errors of the configuration, and what never shows in them.
mod config_errors;
/// RudderStack's destination settings as the `[redis]` section.
mod rudderstack;
