//! `man`: the manual page traitsink(1), made from the command line's own texts.

use std::io;
use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;
use roff::{Inline, Roff, bold, roman};

use crate::cli::{OPTIONS_HEADING, command};
use crate::exit::Exit;

use super::exit;

/// The day on which the page's own texts changed last.
const WRITTEN: &str = "2026-11-29";

/// Files that the page explains.
const FILES: &[(&str, &str)] = &[
    ("/etc/traitsink/traitsink.toml", "The configuration of the service."),
    ("/etc/default/traitsink", "Variables of the service, one `NAME=VALUE` a line."),
    (
        "/var/lib/traitsink/dead-letters.ndjson",
        "Events of the service that can never be written, one JSON object a line. Another process \
         keeps its own below `data_dir`.",
    ),
];

/// Variables that the page explains.
const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "TRAITSINK_SECTION__KEY",
        "The key `section.key` of the configuration, over files and under `--set`: \
         `TRAITSINK_REDIS__URL` is `redis.url`. Lists are separated by commas. An empty variable \
         counts as unset.",
    ),
    (
        "STATE_DIRECTORY, XDG_STATE_HOME, HOME",
        "Where `data_dir` is, unless it is set: the first of `$STATE_DIRECTORY`, \
         `$XDG_STATE_HOME/traitsink` and `$HOME/.local/state/traitsink`.",
    ),
];

/// The signals that the worker takes, and what it does on each.
const SIGNALS: &[(&str, &str)] = &[
    (
        "SIGTERM, SIGINT",
        "The worker finishes what it took, and ends. A second one ends it at once, with code 75 if \
         something was not written.",
    ),
    (
        "SIGHUP",
        "The worker goes on. It closes the dead-letter file; the next dead letter opens it again. \
         It reads its configuration again: write keys, sources with their prefixes, passwords and \
         certificates of Redis, and `log.level`. It takes over all changes or, if one of them is \
         wrong or needs a restart, none; the log says which key is the reason.",
    ),
];

/// Prints the page.
pub(super) fn man() -> ExitCode {
    match page() {
        Ok(page) => exit::print(&page),
        Err(error) => {
            exit::complain(&format!("traitsink: the manual page: {error}"));
            Exit::INTERNAL.into()
        }
    }
}

/// The page in roff's language.
fn page() -> io::Result<String> {
    let mut command = command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone()).manual("traitsink").date(WRITTEN);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    let mut body = Vec::new();
    man.render_name_section(&mut body)?;
    man.render_synopsis_section(&mut body)?;
    man.render_description_section(&mut body)?;
    man.render_options_section(&mut body)?;
    page.extend(without_preambles(&body));

    let mut rest = Roff::new();
    rest.control("SH", ["COMMANDS"]);
    page.extend(without_preambles(rest.render().as_bytes()));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        add_verb(&mut page, verb)?;
    }

    let mut rest = Roff::new();
    list(&mut rest, "EXIT STATUS", Exit::ALL.iter().map(|(exit, text)| (exit.code(), *text)));
    list(&mut rest, "FILES", FILES.iter().copied());
    list(&mut rest, "ENVIRONMENT", ENVIRONMENT.iter().copied());
    list(&mut rest, "SIGNALS", SIGNALS.iter().copied());
    rest.control("SH", ["EXAMPLES"]);
    verbatim(&mut rest, &command);
    rest.control("SH", ["SEE ALSO"]);
    rest.text([bold("redis-cli"), roman("(1), ")]);
    rest.text([bold("systemctl"), roman("(1)")]);
    rest.control("PP", []);
    rest.text(prose("`traitsink config default` prints every key of the configuration."));
    page.extend(without_preambles(rest.render().as_bytes()));
    Ok(without_idle(&String::from_utf8_lossy(&page)))
}

/// `text` without requests that do nothing: a break beside an empty line, a paragraph below a
/// heading.
fn without_idle(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let line = |at: Option<usize>| at.and_then(|at| lines.get(at)).copied();
    let idle = |at: usize| {
        let (before, after) = (line(at.checked_sub(1)), line(Some(at + 1)));
        match lines[at] {
            ".br" => before == Some("") || after == Some(""),
            ".PP" => before.is_some_and(|line| line.starts_with(".SH ")),
            _ => false,
        }
    };
    (0..lines.len()).filter(|at| !idle(*at)).map(|at| format!("{}\n", lines[at])).collect()
}

/// Adds the part about `verb`, or about the verbs behind it.
fn add_verb(page: &mut Vec<u8>, verb: &Command) -> io::Result<()> {
    if verb.has_subcommands() {
        return verb.get_subcommands().try_for_each(|verb| add_verb(page, verb));
    }
    let verb = verb.clone().mut_args(|arg| {
        let common = arg.get_help_heading() == Some(OPTIONS_HEADING) || arg.get_id() == "help";
        arg.hide(common)
    });
    let mut head = Roff::new();
    head.control("SS", [verb.get_bin_name().unwrap_or(verb.get_name())]);
    let mut examples = Roff::new();
    verbatim(&mut examples, &verb);

    let man = Man::new(verb);
    let mut body = Vec::new();
    man.render_synopsis_section(&mut body)?;
    let mut parts = head.render().into_bytes();
    parts.extend(&body);
    parts.extend(b".PP\n");
    body.clear();
    man.render_description_section(&mut body)?;
    man.render_options_section(&mut body)?;
    parts.extend(&body);
    parts.extend(examples.render().into_bytes());
    // The sections of a page of its own are one part here.
    page.extend(without(&parts, &[".ie ", ".el ", ".SH "]));
    Ok(())
}

/// `text` without the definitions that each rendered part begins with: the title's are enough.
fn without_preambles(text: &[u8]) -> Vec<u8> {
    without(text, &[".ie ", ".el "])
}

/// `text` without the lines that begin with one of `starts`.
fn without(text: &[u8], starts: &[&str]) -> Vec<u8> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let kept = lines.filter(|line| !starts.iter().any(|start| line.starts_with(start.as_bytes())));
    kept.flatten().copied().collect()
}

/// A section that explains terms.
fn list<'a>(roff: &mut Roff, title: &str, terms: impl Iterator<Item = (impl ToString, &'a str)>) {
    roff.control("SH", [title]);
    for (term, text) in terms {
        roff.control("TP", []);
        roff.text([bold(term.to_string())]);
        roff.text(prose(text));
    }
}

/// The examples below a command's help, line by line.
fn verbatim(roff: &mut Roff, command: &Command) {
    let Some(text) = command.get_after_help() else { return };
    roff.control("PP", []);
    roff.control("nf", []);
    for line in text.to_string().lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

/// Text whose parts between backticks are bold.
fn prose(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { bold(part) } else { roman(part) }).collect()
}
