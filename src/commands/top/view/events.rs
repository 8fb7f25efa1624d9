//! What happens to events: rates, freshness, sources, dead letters, the last rejections. Pure.

use ratatui_core::text::{Line, Span};

use super::super::state::WatchedWorker;
use super::look::Look;
use super::part::Part;
use super::table::{Cell, left, right, table};
use super::text::{UNKNOWN, bars, bytes, clock, count, rate, seconds};
use crate::printable::printable;
use crate::status::{ByReason, StatusReport};

/// Characters before the bars.
const LABELS: usize = 26;

/// The last value of a list that is known.
pub(super) fn last(values: &[Option<f64>]) -> Option<f64> {
    values.last().copied().flatten()
}

/// Events a second, received and written: between two answers, or else at the end of the history.
pub(super) fn rates(worker: &WatchedWorker) -> (Option<f64>, Option<f64>) {
    let history = worker.report.as_ref().map(|report| &report.history);
    let last = |values: Option<&Vec<f64>>| values.and_then(|values| values.last().copied());
    match worker.rates {
        Some(rates) => (Some(rates.received), Some(rates.written)),
        None => (
            last(history.map(|history| &history.received_per_second)),
            last(history.map(|history| &history.written_per_second)),
        ),
    }
}

/// A number that may not be known.
pub(super) fn known(value: Option<f64>, text: impl Fn(f64) -> String) -> String {
    value.map_or(UNKNOWN.to_owned(), text)
}

/// Rates and freshness now and in the last ten minutes, in `width` columns.
pub(super) fn now(worker: &WatchedWorker, report: &StatusReport, width: usize, look: Look) -> Part {
    let history = &report.history;
    let all = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
    let (received, written) = (all(&history.received_per_second), all(&history.written_per_second));
    let largest = |values: &[Option<f64>]| values.iter().copied().flatten().fold(0.0, f64::max);
    let most = largest(&received).max(largest(&written));
    let p99 = &history.freshness_p99_seconds;
    let minutes = history.step_seconds * received.len() as u64 / 60;
    let line = |name: &str, now: String, values: &[Option<f64>], most: f64| {
        let label = format!("{name:<10}{now:<width$}", width = LABELS - 10);
        let bars = bars(values, width.saturating_sub(LABELS), most);
        Line::from(vec![Span::raw(label), Span::styled(bars, look.bars())])
    };
    let title = format!("{:<10}{:<width$}last {minutes} min", "EVENTS", "now", width = LABELS - 10);
    let title = format!("{title}, at most {} and {}", rate(most), seconds(largest(p99)));
    let (received_now, written_now) = rates(worker);
    let freshness = [last(&history.freshness_p50_seconds), last(p99)];
    let freshness = freshness.map(|value| known(value, seconds)).join(" / ");
    let lines = vec![
        Line::from(Span::styled(title, look.title())),
        line("received", known(received_now, rate), &received, most),
        line("written", known(written_now, rate), &written, most),
        line("freshness", freshness, p99, largest(p99)),
    ];
    Part::new(lines, 4)
}

/// What became of the events of each source since the start.
pub(super) fn sources(report: &StatusReport, look: Look) -> Part {
    let title =
        ["SOURCE", "received", "written", "in flight", "failed", "dead", "rejected", "skipped"];
    let title = title.into_iter().enumerate().map(|(at, name)| {
        let cell = if at == 0 { left(name) } else { right(name) };
        cell.styled(look.title())
    });
    let sum = |by: &ByReason| by.values().sum::<u64>();
    let alarming = |number: u64| {
        let cell = right(count(number));
        if number > 0 { cell.styled(look.warning()) } else { cell }
    };
    let rows = report.sources.iter().map(|source| {
        vec![
            left(printable(&source.source)),
            right(count(source.received)),
            right(count(source.written)),
            right(count(source.in_flight)),
            alarming(source.failed),
            alarming(sum(&source.dead_lettered)),
            alarming(sum(&source.rejected)),
            right(count(sum(&source.skipped))),
        ]
    });
    Part::new(table(std::iter::once(title.collect()).chain(rows).collect()), 2)
}

/// Where dead letters go, and how much room there is.
pub(super) fn dead_letters(report: &StatusReport, look: Look) -> Part {
    let letters = &report.dead_letters;
    let used = letters.bytes.map(|used| match letters.max_bytes {
        Some(most) => format!(", {} of {}", bytes(used), bytes(most)),
        None => format!(", {}", bytes(used)),
    });
    let place = letters.place.as_deref().map(|place| format!("  {}", printable(place)));
    let full = letters.max_bytes.is_some_and(|most| letters.bytes.unwrap_or(0) > most / 10 * 9);
    let text = format!("{}{}", printable(&letters.to), used.unwrap_or_default());
    let style = if full { look.bad() } else { ratatui_core::style::Style::new() };
    Part::new(
        vec![Line::from(vec![
            Span::styled("DEAD LETTERS  ", look.title()),
            Span::styled(text, style),
            Span::raw(place.unwrap_or_default()),
        ])],
        1,
    )
}

/// The last events that were rejected or became dead letters.
pub(super) fn rejections(report: &StatusReport, look: Look) -> Option<Part> {
    let row = |cells: [String; 5]| cells.into_iter().map(left).collect::<Vec<Cell>>();
    let title = ["REJECTED", "source", "reason", "outcome", "user"].map(str::to_owned);
    let title = row(title).into_iter().map(|cell| cell.styled(look.title())).collect();
    let rows = report.rejections.iter().map(|rejection| {
        row([
            clock(rejection.at, report.now),
            printable(&rejection.source),
            printable(&rejection.reason),
            printable(&rejection.outcome),
            rejection.user.as_deref().map_or(UNKNOWN.to_owned(), printable),
        ])
    });
    let lines = table(std::iter::once(title).chain(rows).collect());
    (lines.len() > 1).then(|| Part::new(lines, 2))
}
