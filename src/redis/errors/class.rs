//! What an error of Redis asks for.

/// The label `class`: what is done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The same connection, after a pause.
    Retry,
    /// A new connection.
    Reconnect,
    /// Ask again which node owns the key, then retry.
    Rediscover,
    /// This update can never be written: dead letters.
    Refused,
    /// Something outside must be mended first: not ready, retried slowly, never dropped.
    Config,
}

impl Class {
    pub const ALL: &'static [Self] =
        &[Self::Retry, Self::Reconnect, Self::Rediscover, Self::Refused, Self::Config];

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
