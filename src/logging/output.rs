//! Writes standard error from a thread of its own, so that no other thread waits for its reader.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

use crate::lock::lock;

/// Lines that wait to be written, at most; further lines are dropped and counted. They take a few
/// MiB at most.
const WAITING_LINES: usize = 4096;

/// The output of log lines once logging has started.
static OUTPUT: OnceLock<LogOutput> = OnceLock::new();

/// A queue of log lines, and the thread that writes them. Cheap to clone.
#[derive(Clone)]
pub(super) struct LogOutput {
    lines: NonBlocking,
    queued: Arc<AtomicU64>,
    written: Arc<WrittenLines>,
    /// Never dropped while the process runs: dropping it waits, and then prints on standard output
    /// if nobody reads the lines.
    _thread: Arc<WorkerGuard>,
}

/// The number of lines that the thread has written, or failed to write.
#[derive(Default)]
struct WrittenLines {
    lines: Mutex<u64>,
    more: Condvar,
}

/// Counts the lines that it passes to `to`.
struct CountingWriter<W> {
    to: W,
    written: Arc<WrittenLines>,
}

impl LogOutput {
    /// The output to standard error; the same at each call.
    pub(super) fn stderr() -> &'static Self {
        OUTPUT.get_or_init(|| Self::new(UnlockedStderr))
    }

    fn new(to: impl Write + Send + 'static) -> Self {
        let written = Arc::new(WrittenLines::default());
        let (lines, thread) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(WAITING_LINES)
            .thread_name("log")
            .finish(CountingWriter { to, written: Arc::clone(&written) });
        Self { lines, queued: Arc::default(), written, _thread: Arc::new(thread) }
    }

    fn dropped(&self) -> u64 {
        self.lines.error_counter().dropped_lines() as u64
    }

    /// Waits until everything has been written, but for no longer than `limit`.
    fn flush(&self, limit: Duration) {
        let waiting = |written: &mut u64| self.queued.load(Relaxed) > *written + self.dropped();
        let written = lock(&self.written.lines);
        // The result does not matter: the process ends.
        let _ = self.written.more.wait_timeout_while(written, limit, waiting);
    }
}

impl Write for LogOutput {
    /// Queues `line` or drops it, without waiting.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queued.fetch_add(1, Relaxed);
        self.lines.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogOutput {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl<W: Write> Write for CountingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    /// The thread writes each line with one call.
    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let result = self.to.write_all(line);
        *lock(&self.written.lines) += 1;
        self.written.more.notify_all();
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Standard error without the lock of `std::io::stderr()`, which a blocked write would hold
/// forever.
struct UnlockedStderr;

impl Write for UnlockedStderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(std::io::stderr(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints a line for people on standard error: behind the queued log lines once logging has
/// started, else at once. Errors are ignored.
pub fn say(text: &str) {
    let line = format!("{text}\n");
    let _ = match OUTPUT.get() {
        Some(output) => output.clone().write_all(line.as_bytes()),
        None => std::io::stderr().lock().write_all(line.as_bytes()),
    };
}

/// The number of log lines dropped since the start because standard error was not read.
pub fn dropped_lines() -> u64 {
    OUTPUT.get().map_or(0, LogOutput::dropped)
}

/// Waits until what was logged is written, but for no longer than `limit`.
pub(super) fn flush(limit: Duration) {
    if let Some(output) = OUTPUT.get() {
        output.flush(limit);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn flushing_waits_for_all_lines_that_somebody_reads() {
        let mut file = tempfile::tempfile().unwrap();
        let mut output = LogOutput::new(file.try_clone().unwrap());
        (0..100).for_each(|n| output.write_all(format!("{n}\n").as_bytes()).unwrap());
        output.flush(Duration::from_secs(60));
        std::io::Seek::rewind(&mut file).unwrap();
        assert_eq!(std::io::read_to_string(file).unwrap().lines().count(), 100);
    }

    #[test]
    fn nobody_waits_for_a_pipe_that_is_not_read() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let mut output = LogOutput::new(writer);
        let line = [b'x'; 1000];
        // The pipe holds 64 KiB, the queue its limit; all else is dropped.
        (0..2 * WAITING_LINES).for_each(|_| output.write_all(&line).unwrap());
        assert!(output.dropped() > WAITING_LINES as u64 / 2, "{}", output.dropped());
        let (start, limit) = (Instant::now(), Duration::from_millis(50));
        output.flush(limit);
        assert!(start.elapsed() >= limit);
    }
}
