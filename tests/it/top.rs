//! `traitsink top` in a real pseudo-terminal, with real workers.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use crate::harness::app::App;
use crate::harness::eventually;
use crate::harness::redis::Redis;

const EVENT: &str = r#"{"userId":"u1","traits":{"plan":"free"}}"#;
/// Leaves the other screen of a terminal, and shows the cursor.
const GIVEN_BACK: [&str; 2] = ["\u{1b}[?1049l", "\u{1b}[?25h"];

/// `top` in a terminal of 100 columns and 40 lines; killed when dropped.
struct Terminal {
    child: Child,
    keyboard: File,
    /// The terminal's other end, which knows its settings.
    settings: File,
    /// All that was printed.
    printed: Arc<Mutex<String>>,
}

impl Terminal {
    fn start(workers: &[&App]) -> Self {
        let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(&size, None).expect("a pseudo-terminal");
        let (keyboard, settings) = (File::from(master), File::from(slave));
        let end = || settings.try_clone().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_traitsink"))
            .arg("top")
            .args(workers.iter().map(|app| app.admin.to_string()))
            .env("TERM", "xterm-256color")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("the program starts");
        let printed = Arc::new(Mutex::new(String::new()));
        let (mut screen, seen) = (keyboard.try_clone().unwrap(), Arc::clone(&printed));
        // Ends with the terminal.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self { child, keyboard, settings, printed }
    }

    fn shows(&self, text: &str) {
        eventually(text, || self.printed.lock().unwrap().contains(text));
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end: exit code 0, and the terminal is as it was.
    fn assert_ends(&mut self) {
        eventually("top ends", || self.child.try_wait().unwrap().is_some());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        for sequence in GIVEN_BACK {
            self.shows(sequence);
        }
        let flags = tcgetattr(&self.settings).unwrap().local_flags;
        assert!(flags.contains(LocalFlags::ICANON | LocalFlags::ECHO), "{flags:?}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn worker(redis: &Redis) -> App {
    let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), &[]);
    app.wait_ready();
    app
}

#[test]
fn a_worker_is_shown_until_a_key_or_a_signal_ends_it() {
    let redis = Redis::start();
    let app = worker(&redis);
    let mut client = app.client();
    for _ in 0..123 {
        assert_eq!(client.post("/v1/identify", EVENT).expect("an answer").status, 200);
    }
    for keys in ["q", "\u{1b}", "\u{3}"] {
        let mut terminal = Terminal::start(&[&app]);
        for text in ["ready", "123", "standalone", &format!("127.0.0.1:{}", redis.port())] {
            terminal.shows(text);
        }
        terminal.press(keys);
        terminal.assert_ends();
    }
    let mut terminal = Terminal::start(&[&app]);
    terminal.shows("ready");
    let raw = tcgetattr(&terminal.settings).unwrap().local_flags;
    assert!(!raw.contains(LocalFlags::ICANON), "keys are read one by one");
    kill(Pid::from_raw(terminal.child.id() as i32), Signal::SIGTERM).unwrap();
    terminal.assert_ends();
}

#[test]
fn of_several_workers_one_that_is_gone_is_told() {
    let redis = Redis::start();
    let (first, mut second) = (worker(&redis), worker(&redis));
    let mut terminal = Terminal::start(&[&first, &second]);
    for app in [&first, &second] {
        terminal.shows(&app.admin.to_string());
    }
    terminal.shows("ready");
    second.signal(Signal::SIGKILL);
    second.wait(std::time::Duration::from_secs(20));
    terminal.press("j");
    terminal.shows("cannot");
    terminal.press("q");
    terminal.assert_ends();
}
