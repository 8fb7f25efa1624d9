//! Log lines on standard error, and user ids in them.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tracing::Subscriber;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat, UserIds};

mod output;
mod throttle;

use output::LogOutput;
pub use output::{dropped_lines, say};
pub use throttle::Throttle;

/// How long the end of the process waits for the last log lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Waits, when dropped, until what was logged has been written, but for no longer than a second.
#[must_use]
pub struct Logging(());

impl Drop for Logging {
    fn drop(&mut self) {
        output::flush(LAST_LINES);
    }
}

/// Starts logging on standard error, including panics. Logging never blocks: lines that nobody
/// reads are dropped, see [`dropped_lines`]. A second call changes nothing.
pub fn init(log: &Log) -> Logging {
    let started =
        subscriber(log, std::io::stderr().is_terminal(), LogOutput::stderr().clone()).try_init();
    if started.is_ok() {
        // The default hook writes to standard error itself, and could block there.
        std::panic::set_hook(Box::new(panicked));
    }
    Logging(())
}

fn panicked(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let payload = panic.payload();
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let what = text.unwrap_or("without a message");
    // Empty unless RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(thread, place, backtrace, "panicked: {what}");
}

fn subscriber<W>(log: &Log, terminal: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let json = match log.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = if json {
        layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        layer.with_ansi(colour).fmt_fields(debug_fn(write_field).delimited(" ")).boxed()
    };
    // Libraries may log what they send: only their warnings are wanted, whatever the level;
    // librdkafka says only what kafka.librdkafka.debug asks for.
    let own = LevelFilter::from_level(log.level.into());
    let targets = Targets::new()
        .with_default(own.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), own)
        .with_target("librdkafka", own);
    // A filter of the layer itself would swallow a line after a library only asked whether it may
    // log.
    tracing_subscriber::registry().with(targets).with(layer)
}

/// Writes one field of a text line. tracing-subscriber escapes control characters only in the
/// message, but a field may hold text from a client or a server.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    format!("{value:?}").chars().try_for_each(|c| match c.is_control() {
        true => write!(writer, "{}", c.escape_default()),
        false => writer.write_char(c),
    })
}

impl UserIds {
    /// The id for a log line: its own text, or the first 16 hexadecimal digits of its SHA-256.
    pub fn show<'a>(&self, id: &'a [u8]) -> UserId<'a> {
        UserId { id, plain: *self == Self::Plain }
    }
}

/// The id as the first 16 hexadecimal digits of its SHA-256, whatever `log.user_ids` says.
pub fn hashed(id: &[u8]) -> UserId<'_> {
    UserId { id, plain: false }
}

/// A user id that is hashed when it is displayed, unless asked otherwise.
#[derive(Clone, Copy)]
pub struct UserId<'a> {
    id: &'a [u8],
    plain: bool,
}

impl fmt::Display for UserId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plain {
            return f.write_str(&String::from_utf8_lossy(self.id));
        }
        Sha256::digest(self.id).iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The same as its display: a debug line must not undo the hash.
impl fmt::Debug for UserId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};
    use std::sync::Mutex;

    use super::*;
    use crate::config::LogLevel;

    /// The log at `level` in `format`, not on a terminal.
    fn logged(format: LogFormat, level: LogLevel, log: impl FnOnce()) -> String {
        let mut file = tempfile::tempfile().unwrap();
        let writer = Mutex::new(file.try_clone().unwrap());
        let config = Log { format, level, ..Log::default() };
        tracing::subscriber::with_default(subscriber(&config, false, writer), log);
        file.seek(SeekFrom::Start(0)).unwrap();
        std::io::read_to_string(file).unwrap()
    }

    #[test]
    fn lines_are_json_unless_on_a_terminal_and_control_characters_are_escaped() {
        let log = || tracing::info!(user = %"a\u{1b}[31m", "he\u{7}llo");
        for format in [LogFormat::Auto, LogFormat::Json] {
            let line: serde_json::Value =
                serde_json::from_str(&logged(format, LogLevel::Info, log)).unwrap();
            assert_eq!((&line["message"], &line["level"]), (&"he\u{7}llo".into(), &"INFO".into()));
        }
        let text = logged(LogFormat::Text, LogLevel::Info, log);
        assert!(text.ends_with(": he\\u{7}llo user=a\\u{1b}[31m\n"), "{text:?}");
    }

    #[test]
    fn libraries_are_heard_from_warnings_up() {
        let log = || {
            tracing::debug!("ours");
            tracing::info!(target: "library", "chatter");
            tracing::warn!(target: "library", "trouble");
        };
        let lines = logged(LogFormat::Text, LogLevel::Debug, log);
        assert!(
            lines.contains("ours") && lines.contains("trouble") && !lines.contains("chatter"),
            "{lines}"
        );
        assert_eq!(logged(LogFormat::Text, LogLevel::Error, log), "");
    }

    #[test]
    fn a_panic_is_an_error_with_its_place() {
        let lines = logged(LogFormat::Json, LogLevel::Error, || {
            std::panic::set_hook(Box::new(panicked));
            let caught = std::panic::catch_unwind(|| panic!("number {}", 7));
            drop(std::panic::take_hook());
            assert!(caught.is_err());
        });
        let line: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(line["message"], "panicked: number 7");
        assert!(line["place"].as_str().unwrap().starts_with("src/logging/mod.rs:"), "{line}");
    }

    #[test]
    fn ids_are_hashed_unless_asked_otherwise() {
        // printf abc | sha256sum
        let hashed = UserIds::Hashed.show(b"abc");
        assert_eq!(
            (hashed.to_string(), format!("{hashed:?}")),
            ("ba7816bf8f01cfea".into(), "ba7816bf8f01cfea".into())
        );
        assert_eq!(UserIds::Plain.show(b"abc").to_string(), "abc");
    }
}
