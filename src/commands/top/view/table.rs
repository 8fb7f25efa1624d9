//! Lines with columns. Pure.

use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};

/// Spaces between two columns.
const GAP: usize = 2;

/// One field of a table.
pub(super) struct Cell {
    text: String,
    style: Style,
    right: bool,
}

/// A text.
pub(super) fn left(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), style: Style::new(), right: false }
}

/// A number.
pub(super) fn right(text: impl Into<String>) -> Cell {
    Cell { right: true, ..left(text) }
}

impl Cell {
    pub(super) fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }

    fn width(&self) -> usize {
        Span::raw(self.text.as_str()).width()
    }
}

/// Lines in which each column is as wide as its widest cell.
pub(super) fn table(rows: Vec<Vec<Cell>>) -> Vec<Line<'static>> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(Cell::width).max().unwrap_or(0))
        .collect();
    rows.into_iter().map(|row| line(row, &widths)).collect()
}

fn line(row: Vec<Cell>, widths: &[usize]) -> Line<'static> {
    let mut spans = Vec::with_capacity(2 * row.len());
    let mut space = 0;
    for (cell, width) in row.into_iter().zip(widths) {
        let padding = width - cell.width();
        space += if cell.right { padding } else { 0 };
        spans.push(Span::raw(" ".repeat(space)));
        space = GAP + if cell.right { 0 } else { padding };
        spans.push(Span::styled(cell.text, cell.style));
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let lines = table(vec![
            vec![left("NAME"), right("COUNT"), left("STATE")],
            vec![left("größer"), right("1"), left("up")],
            vec![left("a")],
        ]);
        let texts: Vec<_> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["NAME    COUNT  STATE", "größer      1  up", "a"]);
    }
}
