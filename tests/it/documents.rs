//! The documents: what they link to and name exists, the defaults they say are right, and each
//! fault that is played has its row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where a path in a document begins, seen from the root.
const ROOMS: [&str; 7] = ["src/", "tests/", "benches/", "deploy/", "dashboards/", "docs/", ".ci/"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A page, and its path seen from the root.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(root().join(&path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }
}

fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "tests/FAULTS.md"].map(From::from).into();
    for entry in fs::read_dir(root().join("docs")).expect("docs") {
        let name = entry.expect("a file").file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            paths.push(Path::new("docs").join(name));
        }
    }
    assert!(paths.len() >= 10, "{paths:?}");
    paths.into_iter().map(Page::read).collect()
}

/// Targets of the links of `text` that lead to files of this project.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let after = text.match_indices("](").map(|(at, found)| &text[at + found.len()..]);
    after.filter_map(|rest| Some(rest.split_once(')')?.0)).filter(|target| !target.contains("://"))
}

/// The anchors that GitHub gives to the headings of `text`.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Words of `text` that are paths of this project; with `::name` behind them, if it stands there.
/// Patterns such as `src/*` and `src/{a,b}` are none.
fn paths(text: &str) -> BTreeSet<&str> {
    let part_of_path = |c: char| c.is_ascii_alphanumeric() || "_-./:".contains(c);
    let mut found = BTreeSet::new();
    for room in ROOMS {
        for (at, _) in text.match_indices(room) {
            if text[..at].ends_with(part_of_path) {
                continue;
            }
            let end = text[at..].find(|c| !part_of_path(c)).map_or(text.len(), |len| at + len);
            if text[end..].starts_with(['*', '{']) {
                continue;
            }
            found.insert(text[at..end].trim_end_matches(['.', ':']));
        }
    }
    found
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut seen = 0;
    let mut broken = Vec::new();
    for page in pages() {
        for target in links(&page.text) {
            seen += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let from = page.path.parent().expect("a directory");
            let path = if file.is_empty() {
                root().join(&page.path)
            } else {
                root().join(from).join(file)
            };
            let exists = path.exists()
                && (anchor.is_empty()
                    || fs::read_to_string(&path).is_ok_and(|text| anchors(&text).contains(anchor)));
            if !exists {
                broken.push(format!("{}: {target}", page.path.display()));
            }
        }
    }
    assert!(seen > 50, "only {seen} links seen");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn paths_and_tests_that_are_named_exist() {
    let (mut files, mut tests) = (0, 0);
    let mut missing = Vec::new();
    for page in pages() {
        for named in paths(&page.text) {
            let (file, name) = named.split_once("::").map_or((named, None), |(f, n)| (f, Some(n)));
            let exists = match name {
                None => root().join(file).exists(),
                Some(name) => fs::read_to_string(root().join(file))
                    .is_ok_and(|text| text.contains(&format!("fn {name}("))),
            };
            files += 1;
            tests += usize::from(name.is_some());
            if !exists {
                missing.push(format!("{}: {named}", page.path.display()));
            }
        }
    }
    assert!(files > 80 && tests > 60, "only {files} paths seen, {tests} of tests");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn each_fault_that_is_played_has_a_row_that_names_its_file() {
    let plan = Page::read("tests/FAULTS.md".into()).text;
    let mut played = BTreeSet::new();
    for entry in fs::read_dir(root().join("tests/it")).expect("tests/it") {
        let path = entry.expect("a file").path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        for start in ["play(", "fault:"] {
            for (at, found) in text.match_indices(start) {
                let rest = text[at + found.len()..].trim_start().strip_prefix('"');
                let Some((id, _)) = rest.and_then(|rest| rest.split_once('"')) else { continue };
                if matches!(id.as_bytes(), [b'A'..=b'S', b'1'..=b'9']) {
                    played.insert((id.to_owned(), file.clone()));
                }
            }
        }
    }
    assert!(played.len() > 30, "{played:?}");
    let missing: Vec<_> = played
        .iter()
        .filter(|(id, file)| {
            let row = |line: &&str| line.starts_with(&format!("| {id} |"));
            !plan.lines().filter(row).any(|line| line.contains(&format!("tests/it/{file}::")))
        })
        .collect();
    assert!(missing.is_empty(), "not in tests/FAULTS.md: {missing:?}");
}

/// The keys of the documented configuration and their defaults, without quotes and blanks.
fn defaults() -> BTreeMap<String, String> {
    let mut table = String::new();
    let mut found = BTreeMap::new();
    for line in Page::read("deploy/traitsink.toml".into()).text.lines() {
        let line = line.trim_start_matches("# ");
        if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            table = name.to_owned();
        } else if let Some((key, value)) = line.split_once(" = ") {
            let value = value.split(" #").next().unwrap_or_default();
            found.insert(format!("{table}.{key}"), value.replace(['"', ' '], ""));
        }
    }
    found
}

/// Documents may say a default behind its key, as in "`http.wait` (5s)".
#[test]
fn defaults_that_are_said_are_right() {
    let defaults = defaults();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for page in pages() {
        for (at, found) in page.text.match_indices("` (") {
            let key = page.text[..at].rsplit('`').next().unwrap_or_default();
            let value = page.text[at + found.len()..].split([')', ',', ';']).next();
            let value = value.unwrap_or_default().replace([' ', '\n'], "");
            if key.contains('.') && value.starts_with(|c: char| c.is_ascii_digit()) {
                seen += 1;
                if defaults.get(key) != Some(&value) {
                    wrong.push(format!("{}: {key} ({value})", page.path.display()));
                }
            }
        }
    }
    assert!(seen >= 10, "only {seen} defaults seen");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_readme_stays_short() {
    let lines = Page::read("README.md".into()).text.lines().count();
    assert!(lines <= 150, "{lines} lines; what is longer belongs into docs/");
}
