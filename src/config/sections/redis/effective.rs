//! A valid `[redis]` section in the form that is typed.

use super::address::Address;
use super::embedded::RawEmbedded;
use super::local::RawLocal;
use super::password::{Password, program_name};
use super::raw::RawRedis;
use super::url::{RedisUrl, UrlAddress, UrlText};
use super::valid::{Mode, Redis};
use crate::config::engine::units::Listen;
use crate::profile::Prefix;

/// Arguments may hold a secret, and so may what follows the name of a program that was typed as one
/// text.
fn shown_command(words: &[String]) -> Vec<String> {
    let program = words.first().map(|program| program_name(program).to_owned());
    program.into_iter().chain(words.iter().skip(1).map(|_| "***".to_owned())).collect()
}

/// `valid` in the form that is typed, without keys that have no effect in its mode.
pub(crate) fn effective(redis: &RawRedis, valid: &Redis) -> RawRedis {
    let (protocol, durability) =
        (Some(valid.protocol.number()), valid.durability.and(redis.durability));
    let password_command =
        redis.password_command.as_deref().filter(|words| !words.is_empty()).map(shown_command);
    let several = || RawRedis {
        protocol,
        password_command: password_command.clone(),
        tls: redis.tls.effective(valid.tls.as_ref()),
        durability,
        ..redis.clone()
    };
    let (host, port, place) = match &valid.mode {
        // The typed keys are complete, and secrets of nodes are shown as `***` by their type.
        Mode::Cluster(_) => {
            let cluster = Some(redis.cluster.clone().unwrap_or_default());
            return RawRedis { cluster, ..several() };
        }
        Mode::Sentinel(sentinel) => {
            let sentinel = Some(redis.sentinel.clone().unwrap_or_default().effective(sentinel));
            return RawRedis { sentinel, ..several() };
        }
        Mode::Sharded(_) | Mode::PrimaryReplicas(_) => return several(),
        Mode::Embedded(_) | Mode::Local(_) => (None, None, None),
        Mode::Standalone(Address::Unix(path)) => (None, None, Some(UrlAddress::Unix(path.clone()))),
        Mode::Standalone(Address::Tcp { host, port }) => {
            let place = UrlAddress::Tcp { host: host.clone(), port: Some(*port) };
            (Some(host.clone()), Some(*port), Some(place))
        }
    };
    let url = place.map(|place| RedisUrl {
        address: place,
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
    RawRedis {
        url: url.map(UrlText::new),
        host,
        port,
        username: valid.username.clone(),
        password_command,
        database: Some(valid.database),
        protocol,
        keepalive,
        user_timeout,
        prefix: match &valid.prefix_rule {
            Prefix::Fixed(prefix) => Some(prefix.clone()),
            Prefix::Dynamic { .. } => redis.prefix.clone(),
        },
        tls: redis.tls.effective(valid.tls.as_ref()),
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
        ..redis.clone()
    }
}
