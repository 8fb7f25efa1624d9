//! The settings of a connection: plain values, whichever kind of Redis they are for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, Durability, Handshake, Login, Node, Password, Protocol, Tcp, Tls};
use crate::profile::KeyTemplate;
use crate::redis::command::Forms;
use crate::redis::errors::ServerNames;

/// Login, TLS, limits and names, the same for all servers of one kind; the address is apart.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    pub(in crate::redis) username: Option<String>,
    pub(in crate::redis) password: Option<Password>,
    /// Logins of the nodes that have one of their own.
    pub(in crate::redis) logins: BTreeMap<Node, Login>,
    pub(in crate::redis) database: u32,
    /// Empty: none is set.
    pub(in crate::redis) client_name: String,
    pub(in crate::redis) handshake: Handshake,
    pub(in crate::redis) protocol: Protocol,
    /// The keys that are written.
    pub(in crate::redis) template: KeyTemplate,
    /// Their prefix; empty: none.
    pub(in crate::redis) prefix: String,
    pub(in crate::redis) connect_timeout: Duration,
    pub(in crate::redis) response_timeout: Duration,
    pub(in crate::redis) tcp: Tcp,
    /// `None`: plain text.
    pub(in crate::redis) tls: Option<Tls>,
    /// `None`: a server's own OK is enough.
    pub(in crate::redis) durability: Option<Durability>,
    pub(in crate::redis) role: ServerRole,
    pub(in crate::redis) names: ServerNames,
    /// What is written.
    pub(in crate::redis) forms: Arc<Forms>,
}

/// The role that a server must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) enum ServerRole {
    /// Not asked for.
    Any,
    /// A primary: a replica is an error when connecting.
    Primary,
    /// A node of a cluster: MOVED and ASK are expected.
    ClusterNode,
}

impl ConnectionSettings {
    /// The settings in `[redis]` for servers that take writes, of any role.
    pub fn of(redis: &config::Redis) -> Self {
        Self {
            username: redis.username.clone(),
            password: redis.password.clone(),
            logins: redis.logins.clone(),
            database: redis.database,
            client_name: redis.client_name.clone(),
            handshake: redis.handshake,
            protocol: redis.protocol,
            template: redis.key.clone(),
            prefix: redis.prefix.clone(),
            connect_timeout: redis.connect_timeout,
            response_timeout: redis.response_timeout,
            tcp: redis.tcp.clone(),
            tls: redis.tls.clone(),
            durability: redis.durability,
            role: ServerRole::Any,
            names: ServerNames::REDIS,
            forms: Arc::default(),
        }
    }

    /// The same, with another password; `None`: without one.
    pub fn with_password(self, password: Option<Password>) -> Self {
        Self { password, ..self }
    }

    /// The same, for writes of these `forms`.
    pub(in crate::redis) fn with_forms(self, forms: &Arc<Forms>) -> Self {
        Self { forms: Arc::clone(forms), ..self }
    }

    /// The same, for servers that must have this `role`.
    pub(in crate::redis) fn with_role(self, role: ServerRole) -> Self {
        Self { role, ..self }
    }
}
