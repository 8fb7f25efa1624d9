//! Addresses of servers, as others write them.

use secrecy::ExposeSecret;
use toml::Value;

use crate::config::{RedisUrl, UrlAddress, host_name, host_port, split_port};

/// A server, with a login of its own or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerAddress {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
}

impl ServerAddress {
    /// # Errors
    /// The fault of the host, without quoting it.
    pub(super) fn new(host: &str, port: u16) -> Result<Self, String> {
        Ok(Self { host: host_name(host)?, port, username: None, password: None })
    }

    /// Reads `host:port`; without a port it is `default`, or an error.
    pub(super) fn parse(text: &str, default: Option<u16>) -> Result<Self, String> {
        let (host, port) = split_port(text.trim())?;
        match port.or(default) {
            Some(port) => Self::new(host, port),
            None => Err("has no port: write host:port".into()),
        }
    }

    /// Host, port and login of a URL.
    pub(super) fn from_url(text: &str, default: u16) -> Result<Self, String> {
        let url = RedisUrl::parse(text)?;
        let UrlAddress::Tcp { host, port } = url.address else {
            return Err("is the URL of a unix socket".into());
        };
        let password = url.password.map(|password| password.expose_secret().to_owned());
        Ok(Self {
            host,
            port: port.unwrap_or(default),
            username: url.username.filter(|_| password.is_some()),
            password,
        })
    }

    /// All of a list separated by commas.
    pub(super) fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(|node| Self::parse(node, None)).collect()
    }

    /// `host:port`.
    pub(super) fn text(&self) -> String {
        host_port(&self.host, Some(self.port))
    }

    pub(super) fn url(&self) -> String {
        format!("redis://{}", self.text())
    }

    /// An entry of `nodes`.
    pub(super) fn toml(&self) -> Value {
        if self.username.is_none() && self.password.is_none() {
            return self.text().into();
        }
        let mut table = toml::Table::new();
        table.insert("host".into(), self.host.clone().into());
        table.insert("port".into(), i64::from(self.port).into());
        for (name, value) in [("username", &self.username), ("password", &self.password)] {
            if let Some(value) = value {
                table.insert(name.into(), value.clone().into());
            }
        }
        table.into()
    }
}

/// The value of a `nodes` key.
pub(super) fn list(nodes: &[ServerAddress]) -> Value {
    nodes.iter().map(ServerAddress::toml).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        for (text, default, expected) in [
            (" a:1 ", None, Ok("a:1")),
            ("a", Some(7), Ok("a:7")),
            ("[::1]:2", None, Ok("[::1]:2")),
            ("[::1]", Some(7), Ok("[::1]:7")),
            ("a", None, Err("has no port: write host:port")),
            ("a:0", Some(7), Err("has no port from 1 to 65535")),
        ] {
            let node = ServerAddress::parse(text, default).map(|node| node.text());
            assert_eq!(node.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }

    #[test]
    fn a_login_makes_a_table() {
        let plain = ServerAddress::new("a", 1).unwrap();
        let secret = ServerAddress { password: Some("p\"w".into()), ..plain.clone() };
        assert_eq!(
            list(&[plain, secret]).to_string(),
            r#"["a:1", { host = "a", password = 'p"w', port = 1 }]"#
        );
    }
}
