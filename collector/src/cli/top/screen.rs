//! The terminal while the live screen has it: taken, and given back as it was, whatever ends the program.

use std::io;

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::DefaultTerminal;
use ratatui::layout::Rect;

/// The terminal, taken; dropping this gives it back, a panic too.
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal of standard output: its other screen, and every key at once.
    pub(super) fn take() -> io::Result<Self> {
        // has a panic give it back before its message is printed
        let terminal = ratatui::try_init()?;
        crossterm::execute!(io::stdout(), EnableBracketedPaste)?;
        Ok(Self { terminal })
    }

    /// Nothing that stands there is taken to be ours any more: all is drawn anew. (`clear` would ask the terminal where its
    /// cursor is, and wait for the answer among the keys.)
    pub(super) fn wipe(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::new(0, 0, size.width, size.height))
    }

    /// What is drawn on.
    pub(super) fn terminal(&mut self) -> &mut DefaultTerminal {
        &mut self.terminal
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // where it cannot be given back, nobody is there any more
        crossterm::execute!(io::stdout(), DisableBracketedPaste).ok();
        ratatui::try_restore().ok();
    }
}
