//! Everything that tests share. What is started here ends with its test.

pub(crate) mod certs;
pub(crate) mod redis;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use traitsink::config::{Address, Mode, Redis};

/// Runs a program that the tests need, and panics with what it said if it fails.
pub(crate) fn run(program: &str, args: &[&str], dir: &Path) -> String {
    let Output { status, stdout, stderr } = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed by the tests and cannot be started ({error}); see tests/run"));
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{program} {args:?}: {status}\n{stdout}{}", String::from_utf8_lossy(&stderr));
    stdout
}

/// Settings as they come from an empty `[redis]` section, for `address`.
pub(crate) fn settings(address: Address) -> Redis {
    Redis {
        mode: Mode::Standalone(address),
        username: None,
        password: None,
        database: 0,
        prefix: String::new(),
        client_name: "traitsink".to_owned(),
        connect_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(5),
        tls: None,
    }
}

pub(crate) fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.to_owned(), port }
}
