//! A part of the view: lines of which not all need to be shown.

use ratatui_core::text::{Line, Span};

use super::fit::Need;
use super::look::Look;

/// Lines about one subject. The first one is the title.
pub(super) struct Part {
    lines: Vec<Line<'static>>,
    need: Need,
}

impl Part {
    /// Left out where fewer than `least` of the lines can be shown.
    pub(super) fn new(lines: Vec<Line<'static>>, least: usize) -> Self {
        let most = lines.len();
        Self { lines, need: Need { least: least.min(most), most } }
    }

    pub(super) fn need(&self) -> Need {
        self.need
    }

    /// The first `count` lines. If there are more, the last of them says how many are missing.
    pub(super) fn shown(mut self, count: usize, look: Look) -> Vec<Line<'static>> {
        let missing = self.lines.len().saturating_sub(count);
        self.lines.truncate(count);
        if missing > 0
            && count > 2
            && let Some(last) = self.lines.last_mut()
        {
            let text = format!("… and {} more lines", missing + 1);
            *last = Line::from(Span::styled(text, look.faint()));
        }
        self.lines
    }
}
