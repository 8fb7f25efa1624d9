//! The rules of the layout: which room may use which, one meaning for each type name, no circles,
//! and limits on files and lines.

mod arrows;
mod examples;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use self::arrows::{Arrows, Crate, circles};

/// Each room (a file or folder of `src`) and the rooms it may use.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "admin",
        &[
            "config",
            "event",
            "logging",
            "metrics",
            "profile",
            "readiness",
            "redis",
            "server",
            "status",
            "tap",
        ],
    ),
    (
        "app",
        &[
            "admin",
            "config",
            "dead_letter",
            "deletion",
            "event",
            "exit",
            "kafka",
            "lifecycle",
            "local_servers",
            "logging",
            "metrics",
            "outcome",
            "pipeline",
            "profile",
            "readiness",
            "redis",
            "server",
            "source",
            "status",
            "store",
            "systemd",
            "tap",
            "tls",
            "worker_client",
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
            "local_servers",
            "logging",
            "metrics",
            "pipeline",
            "printable",
            "profile",
            "readiness",
            "redis",
            "source",
            "status",
            "systemd",
            "trace",
            "worker_client",
        ],
    ),
    ("config", &["event", "profile"]),
    ("dead_letter", &["config", "kafka", "lock", "logging", "outcome", "private_file"]),
    (
        "deletion",
        &[
            "config",
            "dead_letter",
            "event",
            "lock",
            "logging",
            "metrics",
            "outcome",
            "readiness",
            "redis",
            "server",
            "store",
        ],
    ),
    ("event", &["profile", "words"]),
    ("exit", &[]),
    ("import", &["config"]),
    ("kafka", &["config", "lock", "logging", "printable", "tls"]),
    ("lifecycle", &["exit", "lock"]),
    ("local_servers", &["config", "lock", "redis", "systemd"]),
    ("lock", &[]),
    ("logging", &["config", "lock"]),
    ("metrics", &["event", "lock", "logging", "outcome"]),
    ("outcome", &["event", "words"]),
    (
        "pipeline",
        &[
            "dead_letter",
            "deletion",
            "event",
            "lock",
            "logging",
            "metrics",
            "outcome",
            "profile",
            "readiness",
            "redis",
            "store",
            "tap",
            "trace",
        ],
    ),
    ("printable", &[]),
    ("profile", &["words"]),
    ("private_file", &[]),
    ("readiness", &["lock"]),
    (
        "redis",
        &["config", "event", "lock", "metrics", "printable", "profile", "systemd", "tls", "trace"],
    ),
    ("server", &["lock", "logging"]),
    (
        "source",
        &[
            "config",
            "dead_letter",
            "event",
            "kafka",
            "lock",
            "logging",
            "metrics",
            "outcome",
            "pipeline",
            "profile",
            "readiness",
            "server",
            "trace",
        ],
    ),
    ("status", &["config", "event", "lock", "metrics", "outcome", "pipeline", "readiness"]),
    ("store", &["lock", "private_file"]),
    ("systemd", &[]),
    ("tap", &["config", "event", "lock", "outcome"]),
    ("tls", &["config", "lock", "printable"]),
    ("trace", &["config", "logging", "tls"]),
    ("words", &[]),
    ("worker_client", &["config", "printable", "tls"]),
];

/// Types that may share the name of the configuration section that describes them.
const CONFIGURED: &[&str] = &["Admin", "Breaker", "Cluster", "Delivery", "Local", "Sentinel"];

/// The largest number of characters in a line.
const COLUMNS: usize = 100;

fn add_sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files in these folders, by path below the root of the project.
fn sources(folders: &[&str]) -> BTreeMap<String, String> {
    let mut files = Vec::new();
    for folder in folders {
        add_sources(&root().join(folder), &mut files);
    }
    let named = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        (file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(), text)
    };
    files.into_iter().map(named).collect()
}

/// The crate, and the arrows between its files, which are all below `src`.
fn house() -> (Crate, Arrows) {
    let below =
        |(path, text): (String, String)| (path.strip_prefix("src/").unwrap().to_owned(), text);
    let texts = sources(&["src"]).into_iter().map(below).collect();
    let tree = Crate::read(env!("CARGO_PKG_NAME"), &texts);
    assert_eq!(tree.unreached, [""; 0], "no `mod` leads to these files");
    assert!(tree.files.len() > 150, "only {} files seen", tree.files.len());
    let (arrows, lost) = arrows::arrows(&tree);
    assert_eq!(lost, [""; 0], "these paths lead into the crate, and to nothing in it");
    assert!(arrows.len() > 600, "only {} arrows seen", arrows.len());
    (tree, arrows)
}

/// The room of a file: the first component of its path.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Fails with a list of all circles.
fn assert_no_circles(of: &str, arrows: &Arrows) {
    let found = circles(arrows);
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "the {of} form circles:\n{}", texts.join("\n"));
}

#[test]
fn rooms_use_only_the_rooms_they_may() {
    let mut wrong = BTreeSet::new();
    let mut used = BTreeSet::new();
    for ((from, to), names) in house().1 {
        let (from_room, to_room) = (room(&from), room(&to));
        if from_room == to_room || ["lib", "main", "build"].contains(&from_room) {
            continue;
        }
        let found = ARROWS.iter().find(|(name, _)| *name == from_room);
        let (_, allowed) = found.unwrap_or_else(|| panic!("{from_room} is no known room"));
        if !allowed.contains(&to_room) {
            wrong.insert(format!("{from} may not use {to}: {names:?}"));
        }
        used.insert((from_room.to_owned(), to_room.to_owned()));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (room, allowed) in ARROWS {
        for other in *allowed {
            let arrow = (String::from(*room), String::from(*other));
            assert!(
                used.contains(&arrow),
                "{room} may use {other}, and does not: the table is too wide"
            );
        }
    }
    assert!(used.len() > 40, "only {} arrows between rooms seen", used.len());
}

#[test]
fn rooms_form_no_circle() {
    let mut table = Arrows::new();
    for (room, used) in ARROWS {
        for other in *used {
            table.insert(
                (String::from(*room), String::from(*other)),
                BTreeSet::from(["allowed".into()]),
            );
        }
    }
    assert_no_circles("rooms of the table", &table);
    let mut between = Arrows::new();
    for ((from, to), names) in house().1 {
        if room(&from) != room(&to) {
            let ends = (room(&from).to_owned(), room(&to).to_owned());
            between
                .entry(ends)
                .or_default()
                .extend(names.iter().map(|name| format!("{name} in {from}")));
        }
    }
    assert_no_circles("rooms", &between);
}

#[test]
fn files_form_no_circle() {
    assert_no_circles("files", &house().1);
}

#[test]
fn a_type_name_is_defined_once() {
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (tree, _) = house();
    for file in &tree.files {
        for name in &file.types {
            places.entry(name).or_default().push(&file.path);
        }
    }
    assert!(places.len() > 300, "only {} types seen", places.len());
    let is_allowed = |name: &str, places: &[&str]| {
        let sections = places.iter().filter(|place| room(place) == "config").count();
        CONFIGURED.contains(&name) && places.len() == 2 && sections == 1
    };
    let twice =
        places.iter().filter(|(name, places)| places.len() > 1 && !is_allowed(name, places));
    let twice: Vec<String> =
        twice.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect();
    assert!(twice.is_empty(), "defined more than once: {twice:#?}");
    let unused: Vec<_> = CONFIGURED
        .iter()
        .filter(|name| places.get(*name).is_none_or(|places| places.len() < 2))
        .collect();
    assert!(unused.is_empty(), "defined only once, no exception needed: {unused:?}");
}

#[test]
fn no_file_outgrows_its_room() {
    let files = sources(&["src", "tests", "benches"]);
    assert!(files.len() > 250, "only {} files seen", files.len());
    for (path, text) in files {
        let lines = text.lines().count();
        assert!(lines <= 400, "{path} has {lines} lines");
    }
}

#[test]
fn no_line_is_too_long() {
    let mut long = Vec::new();
    for (path, text) in sources(&["src", "tests", "benches"]) {
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > COLUMNS {
                long.push(format!("{path}:{}", number + 1));
            }
        }
    }
    assert!(long.is_empty(), "{} lines are longer than {COLUMNS} columns: {long:#?}", long.len());
}

/// The Kafka client and its TLS library are linked in: a fresh machine needs only libc.
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
