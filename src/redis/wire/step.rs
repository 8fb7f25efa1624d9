//! The commands that are sent first on a connection, and those that ask about the server later.

/// One command of the greeting, or one that is sent later to ask about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::redis) enum Step {
    Hello,
    Auth,
    Select,
    SetName,
    ClientInfo,
    ServerInfo,
    Role,
    Ping,
    Hlen,
    /// An HSET without a field, which every server refuses.
    BareHset,
    /// Sent later, when the server is asked whether it takes writes.
    Multi,
}

/// The last command of the greeting: the first of these that the server does not hang up on. Any
/// reply shows that the server answers, and that no password is missing.
pub(super) const SIGNS_OF_LIFE: [Step; 3] = [Step::Ping, Step::Hlen, Step::BareHset];

impl Step {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::Auth => "AUTH",
            Self::Select => "SELECT",
            Self::SetName => "CLIENT SETNAME",
            Self::ClientInfo => "CLIENT INFO",
            Self::ServerInfo => "INFO",
            Self::Role => "ROLE",
            Self::Ping => "PING",
            Self::Hlen => "HLEN",
            Self::BareHset => "HSET",
            Self::Multi => "MULTI",
        }
    }

    /// Whether writing works without it. Login and database are needed; an ACL may deny the others,
    /// and an old server or a proxy may not know them.
    pub(super) const fn is_optional(self) -> bool {
        !matches!(self, Self::Hello | Self::Auth | Self::Select)
    }

    /// The steps whose command a server does not know if it hangs up on this one.
    pub(super) const fn command(self) -> &'static [Self] {
        match self {
            Self::SetName | Self::ClientInfo => &[Self::SetName, Self::ClientInfo],
            Self::ServerInfo => &[Self::ServerInfo],
            Self::Role => &[Self::Role],
            Self::Ping => &[Self::Ping],
            Self::Hlen => &[Self::Hlen],
            Self::BareHset => &[Self::BareHset],
            Self::Multi => &[Self::Multi],
            Self::Hello | Self::Auth | Self::Select => &[],
        }
    }
}
