//! The table of several workers. Pure.

use ratatui_core::text::Line;

use super::super::state::{TopState, WatchedWorker};
use super::events::{known, last, rates};
use super::head::state;
use super::look::Look;
use super::parts::lag;
use super::table::{Cell, left, right, table};
use super::text::{UNKNOWN, bytes, count, rate, seconds};

/// A title, and one line for each worker: at most `height` lines, the selected worker among them.
pub(super) fn workers(all: &TopState, height: usize, look: Look) -> Vec<Line<'static>> {
    let title = ["WORKER", "state"].map(left).into_iter();
    let numbers = ["received", "written", "p99", "in flight", "lag"].map(right);
    let title = title.chain(numbers).map(|cell| cell.styled(look.title())).collect();
    let rows = all.workers.iter().map(|worker| row(worker, look));
    let mut lines = table(std::iter::once(title).chain(rows).collect());
    let selected = std::mem::take(&mut lines[all.selected + 1]);
    lines[all.selected + 1] = selected.style(look.selected());
    let shown = height.saturating_sub(1).max(1);
    let above = (all.selected + 1).saturating_sub(shown);
    lines.drain(1..=above);
    lines.truncate(shown + 1);
    lines
}

fn row(worker: &WatchedWorker, look: Look) -> Vec<Cell> {
    let (word, style) = state(worker, look);
    let mut row = vec![left(worker.name.clone()), left(word).styled(style)];
    if worker.silence.is_some() {
        return row;
    }
    let report = worker.report.as_ref();
    let (received, written) = rates(worker);
    let p99 = report.and_then(|report| last(&report.history.freshness_p99_seconds));
    let in_flight = report.map(|report| bytes(report.memory.in_flight_bytes));
    let lag = report.and_then(|report| report.kafka.as_ref()).map(|kafka| count(lag(kafka)));
    let unknown = || UNKNOWN.to_owned();
    row.extend(
        [
            known(received, rate),
            known(written, rate),
            known(p99, seconds),
            in_flight.unwrap_or_else(unknown),
            lag.unwrap_or_else(unknown),
        ]
        .map(right),
    );
    row
}
