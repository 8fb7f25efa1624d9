//! The limits of a listener.

use std::time::Duration;

/// Limits for the clients of one listener.
#[derive(Debug, Clone)]
pub struct ListenerLimits {
    /// Open connections, at most. For one more, the connection that is silent for longest is
    /// closed; while all requests are being answered, the new one waits.
    pub max_connections: usize,
    /// Time limit for the headers of a request, from its first byte; on a new connection from
    /// accepting it.
    pub header_timeout: Duration,
    /// Time limit for a connection between two requests.
    pub idle_timeout: Duration,
}

impl Default for ListenerLimits {
    /// The limits of a listener for operators only.
    fn default() -> Self {
        Self {
            max_connections: 64,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
        }
    }
}
