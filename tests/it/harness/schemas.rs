//! Published schemas, which `tests/run` fetches: of Grafana's dashboards, of compose files.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Panics if a file does not follow the schema of its `kind`: see `tests/schemas/check.cjs`.
pub(crate) fn check(kind: &str, files: &[PathBuf]) {
    let found = faults(kind, files);
    assert!(found.is_empty(), "{found}");
}

/// One line for each part of `files` that does not follow the schema.
pub(crate) fn faults(kind: &str, files: &[PathBuf]) -> String {
    let fetched = super::fetched("TRAITSINK_SCHEMAS", "schemas-1");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas/check.cjs");
    let output = Command::new("node")
        .arg(script)
        .arg(kind)
        .args(files)
        .env("TRAITSINK_SCHEMAS", fetched)
        .output()
        .expect("node is needed by the tests; see tests/run");
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), found.is_empty(), "{found}{errors}");
    found
}
