//! The terminal: taken over for the view, given back however the command ends.

use std::io::{self, Stdout};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::event::{
    self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};
use ratatui_crossterm::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui_crossterm::crossterm::{cursor, execute};
use tokio::sync::mpsc::UnboundedSender;

use super::state::TopKey;

/// Whether the terminal is taken over now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it shows the view; given back when dropped, and before a panic is told.
pub(super) struct Screen(pub(super) Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// It cannot be controlled.
    pub(super) fn take() -> io::Result<Self> {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            hook(panic);
        }));
        TAKEN.store(true, SeqCst);
        let screen = enable_raw_mode()
            .and_then(|()| execute!(io::stdout(), EnterAlternateScreen, cursor::Hide))
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        if screen.is_err() {
            give_back();
        }
        screen.map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Does nothing the second time. A terminal that is gone is no error.
fn give_back() {
    if TAKEN.swap(false, SeqCst) {
        let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

/// Sends the keys that are pressed, from a thread of its own, until the terminal is gone.
///
/// # Errors
/// There is no thread.
pub(super) fn read_keys(keys: UnboundedSender<TopKey>) -> io::Result<()> {
    let reading = move || {
        while let Ok(event) = event::read() {
            if asked_for(&event).is_some_and(|key| keys.send(key).is_err()) {
                return;
            }
        }
    };
    std::thread::Builder::new().name("keys".to_owned()).spawn(reading).map(drop)
}

/// What an event of the terminal asks for.
fn asked_for(event: &Event) -> Option<TopKey> {
    let key = match event {
        Event::Key(KeyEvent { kind: KeyEventKind::Release, .. }) => return None,
        Event::Key(key) => key,
        Event::Resize(..) => return Some(TopKey::Redraw),
        _ => return None,
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if control => Some(TopKey::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(TopKey::Quit),
        KeyCode::Up | KeyCode::Char('k') => Some(TopKey::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(TopKey::Down),
        KeyCode::Char('?') => Some(TopKey::Help),
        _ => None,
    }
}
