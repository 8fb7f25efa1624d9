//! The state of a worker in a word, and the first lines of its details. Pure.

use jiff::Timestamp;
use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};

use super::super::state::WatchedWorker;
use super::look::Look;
use super::text::{age, clock};
use crate::printable::printable;

/// The state of a worker in a word.
pub(super) fn state(worker: &WatchedWorker, look: Look) -> (&'static str, Style) {
    match (&worker.silence, &worker.report) {
        (Some(_), _) => ("NO ANSWER", look.bad()),
        (None, None) => ("asking", look.faint()),
        (None, Some(report)) if report.ready => ("ready", look.good()),
        (None, Some(_)) => ("NOT READY", look.bad()),
    }
}

/// Which worker it is, how it is, and why it is not ready.
pub(super) fn head(worker: &WatchedWorker, now: Timestamp, look: Look) -> Vec<Line<'static>> {
    let (word, style) = state(worker, look);
    let mut first = vec![
        Span::styled(worker.name.clone(), look.title()),
        Span::raw("  "),
        Span::styled(word, style),
    ];
    let mut lines = Vec::new();
    if let Some(silence) = &worker.silence {
        first.push(Span::raw(format!(
            " since {}, {}",
            clock(silence.since, now),
            age(silence.since, now)
        )));
        lines.push(Line::from(printable(&silence.reason)));
    }
    if let Some(report) = &worker.report {
        first.push(Span::styled(
            format!(
                "  {}, up {}, {} ({}), {}",
                printable(&report.host),
                age(report.started, report.now),
                printable(&report.version),
                short(&printable(&report.revision)),
                clock(report.now, now)
            ),
            look.faint(),
        ));
        if worker.silence.is_some() {
            let text = format!("below: its last answer, from {}", clock(report.now, now));
            lines.push(Line::from(Span::styled(text, look.warning())));
        }
        lines.extend(report.waiting_for.iter().map(|waiting| {
            let text = format!("{}: {}", printable(&waiting.part), printable(&waiting.reason));
            Line::from(Span::styled(text, look.warning()))
        }));
    }
    lines.insert(0, Line::from(first));
    lines
}

/// The first characters of a revision.
fn short(revision: &str) -> String {
    revision.chars().take(8).collect()
}
