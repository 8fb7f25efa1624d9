//! Logs on standard error, and user ids in them.

use std::fmt;
use std::io::IsTerminal;

use sha2::{Digest, Sha256};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Starts logging. A second call changes nothing.
pub fn init(log: &Log) {
    let terminal = std::io::stderr().is_terminal();
    let json = match log.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = if json {
        layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        layer.with_ansi(terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())).boxed()
    };
    // Libraries may log what they send: only their warnings are wanted, whatever the level.
    let own = LevelFilter::from_level(log.level);
    let targets = Targets::new().with_default(own.min(LevelFilter::WARN)).with_target(env!("CARGO_CRATE_NAME"), own);
    // Fails only if logging has been started already.
    let _ = tracing_subscriber::registry().with(layer.with_filter(targets)).try_init();
}

/// How user ids appear in logs.
#[derive(Debug, Clone, Copy)]
pub struct UserIds {
    plain: bool,
}

impl UserIds {
    pub fn new(log: &Log) -> Self {
        Self { plain: log.plain_user_ids }
    }

    /// The id for a log line: its own text, or the first 16 hexadecimal digits of its SHA-256.
    pub fn show<'a>(&self, id: &'a [u8]) -> UserId<'a> {
        UserId { id, plain: self.plain }
    }
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
    use super::*;

    #[test]
    fn ids_are_hashed_unless_asked_otherwise() {
        // printf abc | sha256sum
        let hashed = UserIds { plain: false }.show(b"abc");
        assert_eq!((hashed.to_string(), format!("{hashed:?}")), ("ba7816bf8f01cfea".into(), "ba7816bf8f01cfea".into()));
        assert_eq!(UserIds { plain: true }.show(b"abc").to_string(), "abc");
    }
}
