//! A valid `[redis]` section in the form that is typed.

use super::embedded::RawEmbedded;
use super::local::RawLocal;
use super::password::{Password, program_name};
use super::url::{Place, RedisUrl, UrlText};
use super::{Address, Mode, RawRedis, Redis};
use crate::config::engine::units::Listen;

/// Arguments may hold a secret, and so may what follows the name of a program that was typed as one
/// text.
fn shown_command(words: &[String]) -> Vec<String> {
    let program = words.first().map(|program| program_name(program).to_owned());
    program.into_iter().chain(words.iter().skip(1).map(|_| "***".to_owned())).collect()
}

impl RawRedis {
    /// What `valid` came to, in the form that is typed; what has no effect in its mode is left out.
    pub(crate) fn effective(&self, valid: &Redis) -> Self {
        let (protocol, durability) =
            (Some(valid.protocol.number()), valid.durability.and(self.durability));
        let password_command =
            self.password_command.as_deref().filter(|words| !words.is_empty()).map(shown_command);
        let several = || Self {
            protocol,
            password_command: password_command.clone(),
            tls: self.tls.effective(valid.tls.as_ref()),
            durability,
            ..self.clone()
        };
        let (host, port, place) = match &valid.mode {
            // What was typed says it all, and its nodes' secrets are shown as such.
            Mode::Cluster(_) => {
                let cluster = Some(self.cluster.clone().unwrap_or_default());
                return Self { cluster, ..several() };
            }
            Mode::Sentinel(sentinel) => {
                let sentinel = Some(self.sentinel.clone().unwrap_or_default().effective(sentinel));
                return Self { sentinel, ..several() };
            }
            Mode::Sharded(_) | Mode::PrimaryReplicas(_) => return several(),
            Mode::Embedded(_) | Mode::Local(_) => (None, None, None),
            Mode::Standalone(Address::Unix(path)) => (None, None, Some(Place::Unix(path.clone()))),
            Mode::Standalone(Address::Tcp { host, port }) => {
                let place = Place::Tcp { host: host.clone(), port: Some(*port) };
                (Some(host.clone()), Some(*port), Some(place))
            }
        };
        let url = place.map(|place| RedisUrl {
            place,
            username: valid.username.clone(),
            password: match &valid.password {
                Some(Password::Fixed(password)) => Some(password.clone()),
                _ => None,
            },
            database: Some(valid.database),
            protocol: None,
            tls: valid.tls.is_some(),
            insecure: valid.tls.as_ref().is_some_and(|tls| tls.skip_verify),
        });
        let (keepalive, user_timeout) = match &valid.mode {
            Mode::Standalone(Address::Unix(_)) => (None, None),
            _ => valid.tcp.effective(),
        };
        Self {
            url: url.map(UrlText::new),
            host,
            port,
            username: valid.username.clone(),
            password_command,
            database: Some(valid.database),
            protocol,
            keepalive,
            user_timeout,
            prefix: Some(valid.prefix.clone()),
            tls: self.tls.effective(valid.tls.as_ref()),
            cluster: None,
            sentinel: None,
            durability,
            replicas: None,
            embedded: match &valid.mode {
                Mode::Embedded(listen) => Some(RawEmbedded { listen: Listen(*listen) }),
                _ => None,
            },
            local: match &valid.mode {
                Mode::Local(local) => Some(RawLocal::effective(local)),
                _ => None,
            },
            ..self.clone()
        }
    }
}
