//! How Redis's TCP connections notice a peer that vanished.

use std::time::Duration;

use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::Span;

/// Options of every TCP connection; `nodelay` is always on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Silence before the peer is asked whether it is there; three questions, a third of this
    /// apart. `None`: never.
    pub keepalive: Option<Duration>,
    /// How long sent bytes may stay unconfirmed (Linux). `None`: as the system has it.
    pub user_timeout: Option<Duration>,
}

impl Default for Tcp {
    fn default() -> Self {
        Self {
            keepalive: Some(Duration::from_secs(15)),
            user_timeout: Some(Duration::from_secs(10)),
        }
    }
}

impl Tcp {
    /// Linux takes 32,767 seconds.
    const LONGEST_KEEPALIVE: Duration = Duration::from_secs(9 * 60 * 60);

    pub(crate) fn resolve(
        keepalive: Option<Span>,
        user_timeout: Option<Span>,
        report: &mut ConfigReport,
    ) -> Self {
        let default = Self::default();
        let or = |typed: Option<Span>, default| {
            typed.map_or(default, |span| Some(span.0).filter(|time| !time.is_zero()))
        };
        let tcp = Self {
            keepalive: or(keepalive, default.keepalive),
            user_timeout: or(user_timeout, default.user_timeout),
        };
        if tcp
            .keepalive
            .is_some_and(|time| time < Duration::from_secs(1) || time > Self::LONGEST_KEEPALIVE)
        {
            report.error("redis.keepalive", "must be from 1s to 9h, or 0s for none");
        }
        if tcp.user_timeout.is_some_and(|time| time < Duration::from_millis(1)) {
            report.error("redis.user_timeout", "must be at least 1ms, or 0s for the system's own");
        }
        tcp
    }

    /// In the form that is typed.
    pub(crate) fn effective(&self) -> (Option<Span>, Option<Span>) {
        (
            Some(Span(self.keepalive.unwrap_or_default())),
            Some(Span(self.user_timeout.unwrap_or_default())),
        )
    }
}
