//! The version of Redis's protocol.

use super::RawRedis;
use super::nodes::Endpoint;
use super::standalone::one;
use crate::config::engine::report::Report;

/// Profiles are the same in both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Every server speaks it.
    #[default]
    Resp2,
    /// Since Redis 6; begins with HELLO.
    Resp3,
}

impl Protocol {
    pub const fn number(self) -> u8 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

impl RawRedis {
    /// What the URL or the key says, and the `nodes` of the list `key` must not contradict.
    pub(super) fn protocol(&self, key: &str, nodes: &[Endpoint], report: &mut Report) -> Protocol {
        let in_url = self.url().and_then(|url| url.protocol);
        let typed =
            self.protocol.map(|number| if number == 3 { Protocol::Resp3 } else { Protocol::Resp2 });
        let protocol = one(report, "protocol", in_url, "protocol", typed).unwrap_or_default();
        for (n, _) in nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.protocol.is_some_and(|own| own != protocol))
        {
            report.error(
                &format!("{key}[{n}]"),
                "all nodes are spoken to alike: set redis.protocol instead of ?protocol",
            );
        }
        protocol
    }
}
