//! What is on the screen: a pure function of the state, the time and the size.

mod events;
#[cfg(test)]
pub(crate) mod example;
mod fit;
mod head;
mod look;
mod part;
mod parts;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod workers;

use jiff::Timestamp;
use ratatui_core::buffer::Buffer;
use ratatui_core::text::{Line, Span};

use super::state::{TopState, WatchedWorker};

use self::fit::fit;
pub(crate) use self::look::Look;
use self::part::Part;

/// The words of the view.
const HELP: [&str; 5] = [
    "received, written: events a second now; bars: the last ten minutes",
    "freshness: from an event's own time to Redis, median / 99 of 100 events",
    "in flight: taken and not yet settled; dead: put into the dead letters",
    "failed: given back to the source unwritten; it sends them again",
    "lag: records between what is committed and the end of the partition",
];

/// Fills `buffer` with the view at the time `now`.
pub(crate) fn draw(state: &TopState, now: Timestamp, look: Look, buffer: &mut Buffer) {
    let (width, height) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let lines = lines(state, now, look, width, height);
    for (y, line) in (buffer.area.top()..buffer.area.bottom()).zip(&lines) {
        let (x, area) = (buffer.area.x, buffer.area);
        buffer.set_style(ratatui_core::layout::Rect::new(x, y, area.width, 1), line.style);
        buffer.set_line(x, y, line, area.width);
        if line.width() > width
            && let Some(cell) = buffer.cell_mut((area.right() - 1, y))
        {
            cell.set_symbol("…");
        }
    }
}

/// The lines of the screen, `height` at most.
fn lines(
    state: &TopState,
    now: Timestamp,
    look: Look,
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let several = state.workers.len() > 1;
    let mut lines = Vec::with_capacity(height);
    if several {
        lines = workers::workers(state, (height / 3).max(2), look);
        lines.push(Line::from(Span::styled("─".repeat(width), look.faint())));
    }
    let foot = foot(state, look, height);
    let room = height.saturating_sub(lines.len() + foot.len());
    lines.extend(details(state.selected(), now, look, width, room));
    lines.resize(height.saturating_sub(foot.len()), Line::default());
    lines.extend(foot);
    lines
}

/// The keys, and the words if they are asked for; nothing on a very small screen.
fn foot(state: &TopState, look: Look, height: usize) -> Vec<Line<'static>> {
    if height < 8 {
        return Vec::new();
    }
    let choose = if state.workers.len() > 1 { "  ↑↓ j k worker" } else { "" };
    let words = if state.help { "no help" } else { "help" };
    let help = if state.help { &HELP[..] } else { &[] };
    let line = |text: &str| Line::from(Span::styled(text.to_owned(), look.faint()));
    let keys = line(&format!("q quit{choose}  ? {words}"));
    help.iter().map(|text| line(text)).chain([keys]).collect()
}

/// All about one worker, in `height` lines at most.
fn details(
    worker: &WatchedWorker,
    now: Timestamp,
    look: Look,
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let mut lines = head::head(worker, now, look);
    lines.truncate(height.div_ceil(2));
    let Some(report) = &worker.report else { return lines };
    // The most important ones first: they are kept when not all fit.
    let parts: Vec<Part> = [
        Some(events::now(worker, report, width, look)),
        Some(events::sources(report, look)),
        Some(parts::redis(report, look)),
        parts::kafka(report, look),
        Some(parts::lanes(report, look)),
        Some(parts::memory(report, look)),
        Some(events::dead_letters(report, look)),
        events::rejections(report, look),
        parts::certificates(report, look),
    ]
    .into_iter()
    .flatten()
    .collect();
    let needs: Vec<_> = parts.iter().map(Part::need).collect();
    let room = height.saturating_sub(lines.len());
    // Empty lines between the parts, if there is room for all.
    let airy = needs.iter().map(|need| need.most + 1).sum::<usize>() <= room;
    for (part, count) in parts.into_iter().zip(fit(&needs, room)) {
        if airy && needs.len() > 1 {
            lines.push(Line::default());
        }
        lines.extend(part.shown(count, look));
    }
    lines
}
