//! The examples in `deploy/`: each one is accepted, and all that they name exists.

mod compose;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::harness::app::run;
use crate::harness::certs::Authority;

fn deploy() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The paths in `text` that begin with `start`.
fn paths<'a>(text: &'a str, start: &str) -> BTreeSet<&'a str> {
    let part = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let found = text.match_indices(start).map(|(at, _)| {
        let rest = &text[at..];
        rest.split(|c| !part(c)).next().unwrap_or(rest)
    });
    found.collect()
}

/// Makes the files that an example names below `/etc/traitsink`, and returns the example with their
/// paths in `dir`.
fn with_files(text: &str, dir: &Path) -> String {
    let authority = Authority::new("example");
    let client = authority.client();
    for path in paths(text, "/etc/traitsink/") {
        let name = path.rsplit('/').next().expect("a name");
        let content = match name {
            name if name.ends_with("ca.pem") => authority.ca_pem(),
            name if name.ends_with("client.pem") => read(&client.certificate),
            name if name.ends_with("client.key") => read(&client.key),
            _ => format!("secret-of-{name}\n"),
        };
        std::fs::write(dir.join(name), content).expect("writing a file");
    }
    let dir = dir.display().to_string();
    text.replace("/etc/traitsink", &dir).replace("/var/lib/traitsink", &dir)
}

/// Asserts that `check` with these options accepts the configuration; returns its report.
fn accepted(file: &Path, options: &[&str]) -> String {
    let name = file.display().to_string();
    let output = run(&[&["-c", &name, "check"], options].concat(), b"");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}:\n{report}{errors}");
    assert!(errors.is_empty(), "{name}: {errors}");
    report
}

#[test]
fn every_example_configuration_is_accepted() {
    let examples = deploy().join("examples");
    let readme = read(&examples.join("README.md"));
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(&examples).expect("examples") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name == "README.md" || readme.contains(&name), "README.md does not name {name}");
        if !name.ends_with(".toml") {
            continue;
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        let copy = dir.path().join(&name);
        std::fs::write(&copy, with_files(&read(&path), dir.path())).expect("writing a copy");
        let settings = examples.join("rudderstack-destination.json").display().to_string();
        let options = match name.as_str() {
            "rudderstack.toml" => vec!["--rudderstack", &settings],
            "local.toml" | "embedded.toml" => vec!["-s", "data_dir=/tmp"],
            _ => vec![],
        };
        let report = accepted(&copy, &options);
        assert!(report.contains("configuration is valid"), "{name}:\n{report}");
        seen.insert(name);
    }
    assert!(seen.len() >= 9, "{seen:?}");
}
