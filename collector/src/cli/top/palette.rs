//! What tones look like on the live screen, with colours or without.
//!
//! Invariant: no colour says anything that a word does not say as well.

use ratatui::style::{Color, Modifier, Style};

use crate::cli::terminal::Tone;

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    has_colours: bool,
}

impl Palette {
    /// With colours, or without.
    pub(super) const fn new(has_colours: bool) -> Self {
        Self { has_colours }
    }

    #[cfg(test)]
    pub(super) const fn without_colours() -> Self {
        Self::new(false)
    }

    /// How a tone looks.
    pub(super) fn style(self, tone: Tone) -> Style {
        let (colour, modifier) = match tone {
            Tone::Good => (Color::Green, Modifier::empty()),
            Tone::Bad => (Color::Red, Modifier::BOLD),
            Tone::Doubtful => (Color::Yellow, Modifier::empty()),
            Tone::Plain => return Style::new(),
        };
        let style = Style::new().add_modifier(modifier);
        if self.has_colours { style.fg(colour) } else { style }
    }

    /// What is there for orientation only.
    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What the keys act on.
    pub(super) fn focus(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }
}
