//! A headless Chromium with one page, driven by `tests/page/drive.cjs`.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A browser; it ends when dropped.
pub(crate) struct Browser {
    driver: Child,
    /// Commands; the driver ends with them.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// Holds the profile of the browser.
    _dir: tempfile::TempDir,
}

impl Browser {
    /// A browser with `page` of `admin` open, light or dark, in a window of `width` pixels.
    pub(crate) fn open(admin: SocketAddr, width: u32, dark: bool) -> Self {
        let mut browser = Self::start();
        browser.visit(admin, width, dark);
        browser
    }

    /// A browser without a page.
    pub(crate) fn start() -> Self {
        let fetched = super::fetched("TRAITSINK_PAGE", "page-1");
        let dir = tempfile::tempdir().expect("a directory for the browser");
        let mut driver = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/drive.cjs"))
            .env("TRAITSINK_PAGE", fetched)
            .env("TMPDIR", dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is needed by the tests; see tests/run");
        let commands = driver.stdin.take();
        let answers = BufReader::new(driver.stdout.take().expect("piped"));
        Self { driver, commands, answers, _dir: dir }
    }

    /// Leaves the page, if there is one, and opens the one of `admin`.
    pub(crate) fn visit(&mut self, admin: SocketAddr, width: u32, dark: bool) {
        let url = format!("http://{admin}/");
        self.command(json!({"do": "open", "url": url, "width": width, "dark": dark}));
    }

    /// The answer to one command of `tests/page/drive.cjs`; panics when it fails.
    pub(crate) fn command(&mut self, command: Value) -> Value {
        let commands = self.commands.as_mut().expect("open until the end");
        writeln!(commands, "{command}").expect("the driver reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the driver answers");
        let mut answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{command}: the driver has ended: {line}"));
        assert!(answer["error"].is_null(), "{command}: {}", answer["error"]);
        answer["ok"].take()
    }

    /// The text that `selector` shows; empty while it is hidden.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let found = self.command(json!({"do": "text", "selector": selector}));
        found.as_str().expect("a text").to_owned()
    }

    /// How many elements `selector` finds.
    pub(crate) fn count(&mut self, selector: &str) -> u64 {
        self.command(json!({"do": "count", "selector": selector})).as_u64().expect("a number")
    }

    pub(crate) fn click(&mut self, selector: &str) {
        self.command(json!({"do": "click", "selector": selector}));
    }

    pub(crate) fn press(&mut self, key: &str) {
        self.command(json!({"do": "press", "key": key}));
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.command(json!({"do": "type", "text": text}));
    }

    /// Waits until `selector` shows a text that contains `words`.
    pub(crate) fn wait_for(&mut self, selector: &str, words: &str) {
        let mut last = String::new();
        let start = std::time::Instant::now();
        while !last.contains(words) {
            assert!(
                start.elapsed() < super::PATIENCE,
                "{selector} does not show {words:?} but {last:?}; {}",
                self.command(json!({"do": "faults"}))
            );
            super::pause();
            last = self.text(selector);
        }
    }

    /// Panics if the page had an error, its policy forbade something, or it asked elsewhere.
    pub(crate) fn assert_no_faults(&mut self) {
        assert_eq!(self.command(json!({"do": "faults"})), json!([]));
    }

    /// Panics if axe finds something that some people cannot use, or the page is wider than the
    /// window.
    pub(crate) fn assert_accessible(&mut self) {
        assert_eq!(self.command(json!({"do": "axe"})), json!([]));
        let overflow = self.command(json!({"do": "overflow"}));
        assert!(overflow.as_i64() <= Some(0), "the page is {overflow} pixels too wide");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.commands.take());
        // The driver closes the browser, and then ends.
        let _ = self.driver.wait();
    }
}
