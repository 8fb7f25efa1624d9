//! The rooms of the house: who may use whom, and no file that outgrew its room.

use std::path::{Path, PathBuf};

/// Each room and the rooms it may use (`crate::<room>`).
const ARROWS: &[(&str, &[&str])] = &[
    ("admin", &["metrics", "readiness"]),
    (
        "app",
        &[
            "admin",
            "config",
            "dead_letter",
            "exit",
            "kafka",
            "lifecycle",
            "logging",
            "metrics",
            "pipeline",
            "readiness",
            "redis",
            "server",
            "source",
        ],
    ),
    ("cli", &["config", "import"]),
    (
        "commands",
        &[
            "app",
            "cli",
            "config",
            "dead_letter",
            "event",
            "exit",
            "import",
            "kafka",
            "lifecycle",
            "logging",
            "printable",
            "readiness",
            "redis",
            "source",
        ],
    ),
    ("config", &["event"]),
    ("dead_letter", &["config", "kafka", "logging"]),
    ("event", &[]),
    ("exit", &[]),
    ("import", &["config"]),
    ("kafka", &["config", "printable", "tls"]),
    ("lifecycle", &["exit"]),
    ("logging", &["config"]),
    ("metrics", &["event", "logging", "pipeline", "redis"]),
    ("pipeline", &["dead_letter", "event", "metrics", "readiness", "redis"]),
    ("printable", &[]),
    ("readiness", &[]),
    ("redis", &["config", "metrics", "printable", "tls"]),
    ("server", &["logging"]),
    ("source", &["config", "dead_letter", "event", "kafka", "metrics", "pipeline", "readiness"]),
    ("tls", &["config", "printable"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn rooms_use_only_the_rooms_they_may() {
    let src = root().join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 50, "only {} files seen", files.len());
    let mut arrows = 0;
    for file in files {
        let path = file.strip_prefix(&src).unwrap();
        let room =
            path.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if ["lib", "main", "build"].contains(&room) {
            continue;
        }
        let (_, allowed) = ARROWS
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or_else(|| panic!("{room} is no known room"));
        let text = std::fs::read_to_string(&file).unwrap();
        for (_, used) in
            text.match_indices("crate::").map(|(at, found)| text.split_at(at + found.len()))
        {
            let used: String =
                used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(
                used == room || allowed.contains(&used.as_str()),
                "{} may not use crate::{used}",
                path.display()
            );
            arrows += 1;
        }
    }
    assert!(arrows > 50, "only {arrows} arrows seen");
}

#[test]
fn no_file_outgrows_its_room() {
    let mut files = Vec::new();
    for room in ["src", "tests", "benches"] {
        sources(&root().join(room), &mut files);
    }
    assert!(files.len() > 70, "only {} files seen", files.len());
    for file in files {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines", file.display());
    }
}

/// The Kafka client and its TLS are linked in: a fresh machine needs nothing but libc.
#[test]
fn the_binary_needs_only_libc() {
    let readelf = std::process::Command::new("readelf")
        .args(["-d", env!("CARGO_BIN_EXE_traitsink")])
        .output();
    let readelf = readelf.expect("readelf (Debian package binutils) is needed");
    let text = String::from_utf8(readelf.stdout).unwrap();
    let needed: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .map(|line| line.split(['[', ']']).nth(1).unwrap())
        .collect();
    assert!(!needed.is_empty(), "{text}");
    let plain = [
        "libc.so.6",
        "libm.so.6",
        "libgcc_s.so.1",
        "ld-linux-x86-64.so.2",
        "ld-linux-aarch64.so.1",
    ];
    for library in needed {
        assert!(plain.contains(&library), "the binary needs {library}");
    }
}
