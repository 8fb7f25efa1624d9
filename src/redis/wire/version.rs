//! The version of a server, as its answer to INFO tells it. Pure.

use std::fmt;

use super::info::field;

/// What a server is. Others than Valkey count as the Redis that they say they are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) struct ServerVersion {
    pub(in crate::redis) is_valkey: bool,
    /// Major, minor, patch.
    pub(in crate::redis) number: (u32, u32, u32),
}

impl ServerVersion {
    /// From an INFO text; `None`: it holds no version.
    pub(super) fn read(info: &str) -> Option<Self> {
        let own = field(info, "valkey_version");
        let mut parts = own.or_else(|| field(info, "redis_version"))?.trim().split('.');
        let mut next = || parts.next().map_or(Some(0), |part| part.parse().ok());
        Some(Self { is_valkey: own.is_some(), number: (next()?, next()?, next()?) })
    }

    /// Whether it is at least Redis `redis`, or Valkey `valkey`: major and minor.
    pub(in crate::redis) fn is_at_least(self, redis: (u32, u32), valkey: (u32, u32)) -> bool {
        let (major, minor, _) = self.number;
        (major, minor) >= if self.is_valkey { valkey } else { redis }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.number;
        let product = if self.is_valkey { "Valkey" } else { "Redis" };
        write!(f, "{product} {major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valkey_has_versions_of_its_own() {
        let valkey = "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n";
        let version = ServerVersion::read(valkey).unwrap();
        assert_eq!(version.to_string(), "Valkey 9.1.2");
        assert!(version.is_at_least((99, 0), (9, 1)) && !version.is_at_least((1, 0), (9, 2)));
        let version = ServerVersion::read("redis_version:7.0.15\r\n").unwrap();
        assert!(version.is_at_least((7, 0), (99, 0)) && !version.is_at_least((7, 4), (1, 0)));
        let old = ServerVersion::read("redis_version:6\r\n").unwrap();
        assert_eq!(old.to_string(), "Redis 6.0.0");
        assert!(ServerVersion::read("redis_version:next\r\n").is_none());
        assert!(ServerVersion::read("").is_none());
    }
}
