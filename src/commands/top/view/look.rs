//! How things look: colours, or only bold and reversed text.

use ratatui_core::style::{Color, Modifier, Style};

/// The styles of the view.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    colours: bool,
}

impl Look {
    /// `colours` is false with `NO_COLOR`.
    pub(crate) const fn new(colours: bool) -> Self {
        Self { colours }
    }

    /// All is well.
    pub(super) fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    /// Worth a look.
    pub(super) fn warning(self) -> Style {
        self.coloured(Color::Yellow)
    }

    /// Something is wrong.
    pub(super) fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// A row of bars.
    pub(super) fn bars(self) -> Style {
        self.coloured(Color::Cyan)
    }

    /// The first line of a part.
    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Less important, or old.
    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The selected row.
    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }
}
