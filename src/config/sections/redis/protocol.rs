//! The version of Redis's protocol.

/// Version of the protocol between this program and Redis; profiles are the same in both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Every server speaks it.
    #[default]
    Resp2,
    /// Since Redis 6; begins with HELLO.
    Resp3,
}

impl Protocol {
    /// 2 or 3.
    pub const fn number(self) -> u8 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}
