//! The Helm chart and the plain manifests. Each test is a check of `tests/chart/check`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs `tests/chart/check` with this argument; returns what it prints.
fn check(argument: &str) -> String {
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chart/check");
    let done = Command::new("python3")
        .arg(script)
        .arg(argument)
        .env("TRAITSINK", env!("CARGO_BIN_EXE_traitsink"))
        .stdin(Stdio::null())
        .output()
        .expect("the checks of the chart are written in Python 3: install python3");
    let [said, complaints] =
        [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(done.status.success(), "{said}{complaints}");
    said
}

macro_rules! checks {
    ($($(#[$attribute:meta])* $name:ident)*) => {
        $($(#[$attribute])* #[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_check_has_a_test() {
            let tests = [$(stringify!($name)),*];
            assert_eq!(check("--list").split_whitespace().collect::<Vec<_>>(), tests);
        }
    };
}

// The examples with Kafka need a program that knows it.
checks! {
    lint
    valid
    names
    drift
    alerts
    defaults
    refused
    times
    memory
    notes
    #[cfg(feature = "kafka")]
    secrets
    #[cfg(feature = "kafka")]
    accepted
    checksums
    http
    cluster
    #[cfg(feature = "kafka")]
    replay
    redis
}
