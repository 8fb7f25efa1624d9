//! `traitsink man`: a page without faults, whose exit codes are those of the documents.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::app::run;

fn page() -> String {
    let output = run(&["man"], b"");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What mandoc finds in `page`.
fn faults(page: &str) -> String {
    let mut mandoc = Command::new("mandoc")
        .args(["-Tlint", "-W", "warning"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mandoc (Debian package mandoc) is needed");
    let mut input = mandoc.stdin.take().expect("piped");
    input.write_all(page.as_bytes()).expect("mandoc reads");
    drop(input);
    let output = mandoc.wait_with_output().expect("mandoc");
    let text = [output.stdout, output.stderr].concat();
    assert_eq!(output.status.success(), text.is_empty());
    String::from_utf8(text).expect("text")
}

#[test]
fn the_page_has_no_faults() {
    let page = page();
    assert_eq!(faults(&page), "");
    assert!(faults(&page.replacen(".SH NAME", ".SX NAME", 1)).contains("SX"));
}

#[test]
fn the_exit_codes_are_those_of_the_documents() {
    let page = page();
    let part =
        page.split(".SH \"EXIT STATUS\"\n").nth(1).and_then(|rest| rest.split(".SH ").next());
    let mut lines = part.expect("the section").lines();
    let mut said = Vec::new();
    while lines.next() == Some(".TP") {
        let code = lines.next().expect("a code").replace("\\fB", "").replace("\\fR", "");
        let text = lines.next().expect("a meaning");
        let text = text.replace("\\-", "-").replace("\\fB", "`").replace("\\fR", "`");
        said.push(format!("| {code} | {text} |"));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    let document = std::fs::read_to_string(path).expect("the document");
    let rows = document.split("\n## Exit codes\n").nth(1).expect("the section").lines();
    let rows = rows.take_while(|line| !line.starts_with("## "));
    let rows: Vec<&str> = rows.filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() >= 8, "{rows:?}");
    assert_eq!(said, rows);
}
