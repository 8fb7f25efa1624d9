//! Hosts and ports as texts: `host`, `host:port`, `[::1]:port`. Pure.

use std::net::Ipv6Addr;

/// Why a text holds no host.
const NO_HOST: &str = "has no host";

/// Why a text holds no port; ports are 1 to 65535.
const NO_PORT: &str = "has no port from 1 to 65535";

/// A host name or IP address, an IPv6 one without its brackets.
///
/// # Errors
/// Says what is wrong with the host without quoting it: a password may stand there.
pub(crate) fn host_name(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err(NO_HOST);
    }
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_ipv6 = bracketed.unwrap_or(text).parse::<Ipv6Addr>().is_ok();
    let may_be_in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match (bracketed, is_ipv6) {
        (Some(host), true) => Ok(host.to_owned()),
        (None, true) => Ok(text.to_owned()),
        (None, false) if text.chars().all(may_be_in_name) => Ok(text.to_owned()),
        _ => Err("has a host that is neither a name nor an address"),
    }
}

/// Splits `host:port` or `host` into the host as it is typed and the port. The colons of an IPv6
/// address are inside brackets.
///
/// # Errors
/// There is a colon behind the host, but no port from 1 to 65535.
pub(crate) fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => match port.parse() {
            Ok(port) if port > 0 => Ok((host, Some(port))),
            _ => Err(NO_PORT),
        },
        _ => Ok((text, None)),
    }
}

/// `host:port`, or `host` without a port; an IPv6 address gets its brackets.
pub fn host_port(host: &str, port: Option<u16>) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_is_put_together_again() {
        for (text, host, port) in [
            ("a:1", "a", Some(1)),
            ("a", "a", None),
            ("[::1]:7", "::1", Some(7)),
            ("[::1]", "::1", None),
        ] {
            let (typed, split) = split_port(text).unwrap();
            assert_eq!((host_name(typed).as_deref(), split), (Ok(host), port), "{text}");
            assert_eq!(host_port(host, port), text);
        }
        for text in ["a:", "a:0", "a:65536", "a:x"] {
            assert_eq!(split_port(text), Err(NO_PORT), "{text}");
        }
        for text in ["", "a b", "[a]", "a/b"] {
            assert!(host_name(text).is_err(), "{text}");
        }
    }
}
