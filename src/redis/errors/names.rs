//! How messages name a server and the configuration keys that lead to it. Pure.

use std::fmt;

/// The names for one kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerNames {
    /// The text before the server's address: nothing, or a word and a blank.
    pub(in crate::redis) kind: &'static str,
    /// The table that holds its login and its TLS settings: `redis`.
    pub(in crate::redis) section: &'static str,
    /// The text that is added where its user lacks a permission: nothing, or text that begins with
    /// `; `.
    pub(in crate::redis) permissions: &'static str,
}

impl ServerNames {
    /// A server that takes writes, or a replica of one.
    pub(in crate::redis) const REDIS: Self = Self { kind: "", section: "redis", permissions: "" };

    /// A hint with the names of keys: `{section}` stands for the table.
    pub(super) fn fill(self, hint: &str) -> String {
        hint.replace("{section}", self.section)
    }
}

/// A server in a message: its kind and its address.
#[derive(Debug, Clone, Copy)]
pub(in crate::redis) struct NamedServer<'a> {
    /// `host:port`, or the path of a socket.
    pub(in crate::redis) node: &'a str,
    pub(in crate::redis) names: ServerNames,
}

impl fmt::Display for NamedServer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.names.kind, self.node)
    }
}
