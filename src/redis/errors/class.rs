//! Classes of errors by the remedy: try again, connect again, find the server again, ..

/// The remedy for an error; the label `class` of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Try again on the same connection, after a pause.
    Retry,
    /// Connect again.
    Reconnect,
    /// Ask again which node owns the key, then retry.
    Rediscover,
    /// The update can never be written: it goes into the dead letters.
    Refused,
    /// An operator must change something first: not ready, retried slowly, never dropped.
    Config,
}

impl Class {
    /// Every class.
    pub const ALL: &'static [Self] =
        &[Self::Retry, Self::Reconnect, Self::Rediscover, Self::Refused, Self::Config];

    /// The value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Reconnect => "reconnect",
            Self::Rediscover => "rediscover",
            Self::Refused => "refused",
            Self::Config => "config",
        }
    }
}
