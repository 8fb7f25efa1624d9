//! The part of a valid `[redis]` section that depends on the mode.

use std::collections::BTreeMap;

use super::node::Node;
use super::nodes::Login;
use super::password::Password;
use super::protocol::Protocol;
use super::valid::Mode;
use crate::config::sections::tls::Tls;

/// The servers of one mode, and how to log in to them.
pub(super) struct RedisTarget {
    pub(super) mode: Mode,
    pub(super) username: Option<String>,
    pub(super) password: Option<Password>,
    pub(super) logins: BTreeMap<Node, Login>,
    pub(super) database: u32,
    pub(super) protocol: Protocol,
    pub(super) tls: Option<Tls>,
}

impl RedisTarget {
    /// Without a login and without TLS.
    pub(super) fn of(mode: Mode) -> Self {
        let (logins, protocol) = (BTreeMap::new(), Protocol::default());
        Self { mode, username: None, password: None, logins, database: 0, protocol, tls: None }
    }
}
