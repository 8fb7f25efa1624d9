//! One connection to one server: its stream, its replies, its login.

#[cfg(test)]
pub(super) mod arbitrary;
mod connection;
mod connector;
mod handshake;
mod identity;
mod info;
mod live_passwords;
mod password;
mod reply;
mod server_access;
mod settings;
mod step;
mod stream;
mod tls_session;
mod unsupported;
mod version;
pub(super) mod writable;

pub use connection::{Allowed, Connection};
pub use connector::Connector;
pub(super) use connector::address_of;
pub use identity::Identity;
pub(super) use info::{config_value, field, text};
pub use password::check_password;
pub use settings::ConnectionSettings;
pub(super) use settings::ServerRole;
pub use tls_session::TlsSession;
pub(super) use version::ServerVersion;
