//! Copies what a server prints into our log, and keeps its last lines for the error when it ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::lock::lock;

/// Lines that are kept.
const KEPT: usize = 8;
/// Time limit for reading the last output of a server that has ended.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// The last lines of one server.
pub(super) struct ServerOutput {
    lines: Arc<Mutex<VecDeque<String>>>,
    readers: TaskTracker,
}

impl ServerOutput {
    /// Reads the piped output of `child` until it ends.
    pub(super) fn of(child: &mut Child) -> Self {
        let this = Self { lines: Arc::default(), readers: TaskTracker::new() };
        if let Some(pipe) = child.stdout.take() {
            this.follow(pipe, logged);
        }
        if let Some(pipe) = child.stderr.take() {
            this.follow(pipe, |line| Some(line));
        }
        this.readers.close();
        this
    }

    fn follow(
        &self,
        pipe: impl AsyncRead + Unpin + Send + 'static,
        text_of: fn(&str) -> Option<&str>,
    ) {
        let kept = Arc::clone(&self.lines);
        let _task = self.readers.spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Some(text) = text_of(&line) else { continue };
                tracing::debug!("local Redis: {text}");
                let mut kept = lock(&kept);
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back(text.to_owned());
            }
        });
    }

    /// The last lines of a server that has ended.
    pub(super) async fn last(&self) -> String {
        let _still_read = timeout(READ_TIMEOUT, self.readers.wait()).await;
        let lines = lock(&self.lines);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// The text of a log line `PID:ROLE DAY MONTH YEAR TIME LEVEL TEXT`. Other lines come from a crash
/// and may quote what clients sent.
fn logged(line: &str) -> Option<&str> {
    let mut parts = line.splitn(7, ' ');
    let process = parts.next()?.split_once(':')?.0;
    let level = parts.nth(4)?;
    let is_log =
        process.bytes().all(|byte| byte.is_ascii_digit()) && matches!(level, "." | "-" | "*" | "#");
    parts.next().filter(|_| is_log)
}

#[cfg(test)]
mod tests {
    use super::logged;

    #[test]
    fn only_lines_of_the_log_have_a_text() {
        for line in [
            "1:M 21 Nov 2026 13:00:00.123 * Ready to accept",
            "27:C 01 Jan 2027 00:00:00.000 # Ready to accept",
        ] {
            assert_eq!(logged(line), Some("Ready to accept"));
        }
        for line in [
            "",
            "argv[1]: 'user:secret'",
            "1:M 21 Nov 2026 13:00:00.123",
            "x:M 21 Nov 2026 13:00:00.123 * text",
            "a b c d e * f",
        ] {
            assert_eq!(logged(line), None, "{line}");
        }
    }
}
