//! `redis.url`. Its errors never quote it: an unescaped password may stand where a host or a port
//! should.

use std::borrow::Cow;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::protocol::Protocol;
use crate::config::engine::host::{host_name, host_port};
use crate::config::engine::units::text_form;

/// The parts of a URL; a part that is not given is `None`.
#[derive(Debug, Clone)]
pub(crate) struct RedisUrl {
    pub(crate) address: UrlAddress,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<SecretString>,
    pub(crate) database: Option<u32>,
    /// `?protocol=resp3`.
    pub(crate) protocol: Option<Protocol>,
    /// `rediss://`.
    pub(crate) tls: bool,
    /// `#insecure`.
    pub(crate) insecure: bool,
}

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UrlAddress {
    Tcp { host: String, port: Option<u16> },
    Unix(PathBuf),
}

/// Everything but what a URL never gives a meaning to.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const ESCAPES: &str =
    "in a user name or password write %40 for @, %2F for /, %3A for :, %23 for #, %3F for ?";

impl RedisUrl {
    /// Reads `redis[s]://[[user]:password@]host[:port][/db][?protocol=resp3][#insecure]`,
    /// `valkey[s]://...` and
    /// `[redis+]unix://[[user]:password@]/path[?db=N&user=U&pass=P&protocol=resp3]`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) =
            text.split_once("://").ok_or("is not a URL such as redis://127.0.0.1:6379/0")?;
        let (rest, fragment) =
            rest.split_once('#').map_or((rest, None), |(rest, fragment)| (rest, Some(fragment)));
        let insecure = match fragment {
            None | Some("") => false,
            Some("insecure") => true,
            Some(_) => return Err(format!("behind # only \"insecure\" is known; {ESCAPES}")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if path.contains('@') || query.contains('@') {
            return Err(format!("an @ stands behind a / or a ?; {ESCAPES}"));
        }
        let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (username, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let url = Self {
            address: UrlAddress::Unix(PathBuf::from(decode(path)?)),
            username: given(username)?,
            password: given(password)?.map(SecretString::from),
            database: None,
            protocol: None,
            tls: false,
            insecure,
        };
        match scheme {
            "redis" | "valkey" => url.tcp(host, path, query),
            "rediss" | "valkeys" => Self { tls: true, ..url }.tcp(host, path, query),
            "unix" | "redis+unix" if !host.is_empty() || path.len() < 2 => {
                Err(format!("needs the absolute path of a socket: {scheme}:///run/redis.sock"))
            }
            "unix" | "redis+unix" => url.unix(query),
            _ => Err("starts with none of redis://, rediss://, valkey://, valkeys://, unix://, \
                redis+unix://"
                .into()),
        }
    }

    fn tcp(self, host: &str, path: &str, query: &str) -> Result<Self, String> {
        let mut protocol = None;
        for (name, value) in options(query) {
            match name {
                "protocol" => protocol = Some(version(value)?),
                _ => return Err("takes no ?options but protocol: they are keys of [redis]".into()),
            }
        }
        // An IPv6 address holds colons of its own, so its brackets end it.
        let (host, port) = match host.find(']') {
            Some(end) => host.split_at(end + 1),
            None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some("") => None,
            number => match number.and_then(|number| number.parse().ok()) {
                Some(port) if port > 0 => Some(port),
                _ => {
                    return Err(format!(
                        "has no port from 1 to 65535 behind the host's colon; {ESCAPES}"
                    ));
                }
            },
        };
        let database = match path.trim_start_matches('/') {
            "" => None,
            number => Some(database(number)?),
        };
        let host = match host {
            "" => return Err("has no host".into()),
            host => host_name(host).map_err(|error| format!("{error}; {ESCAPES}"))?,
        };
        Ok(Self { address: UrlAddress::Tcp { host, port }, database, protocol, ..self })
    }

    fn unix(mut self, query: &str) -> Result<Self, String> {
        for (name, value) in options(query) {
            match name {
                "db" => self.database = Some(database(value)?),
                "user" => self.username = given(value)?,
                "pass" => self.password = given(value)?.map(SecretString::from),
                "protocol" => self.protocol = Some(version(value)?),
                _ => return Err("has an option other than db, user, pass and protocol".into()),
            }
        }
        Ok(self)
    }
}

/// The pairs behind the `?`.
fn options(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|option| !option.is_empty())
        .map(|option| option.split_once('=').unwrap_or((option, "")))
}

fn version(text: &str) -> Result<Protocol, String> {
    match text {
        "2" | "resp2" => Ok(Protocol::Resp2),
        "3" | "resp3" => Ok(Protocol::Resp3),
        _ => Err("has a protocol other than resp2 and resp3".into()),
    }
}

fn database(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("has a database that is not a number; {ESCAPES}"))
}

fn given(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() { Ok(None) } else { decode(text).map(Some) }
}

fn decode(text: &str) -> Result<String, String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| "is not UTF-8 after its %-escapes".into())
}

/// Text that is a Redis URL; kept as typed, printed without its password.
#[derive(Debug, Clone)]
pub(crate) struct UrlText(RedisUrl);

text_form!(UrlText, "redis_url", "redis://127.0.0.1:6379/0", RedisUrl::parse, print);

impl UrlText {
    pub(crate) fn new(url: RedisUrl) -> Self {
        Self(url)
    }

    pub(crate) fn url(&self) -> &RedisUrl {
        &self.0
    }
}

/// The URL with `***` for its password.
fn print(url: &RedisUrl) -> String {
    let encode = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let user_info = match (&url.username, &url.password) {
        (None, None) => String::new(),
        (username, password) => {
            let password = if password.is_some() { ":***" } else { "" };
            format!("{}{password}@", username.as_deref().map(encode).unwrap_or_default())
        }
    };
    let fragment = if url.insecure { "#insecure" } else { "" };
    let protocol = url.protocol.map(|protocol| format!("protocol=resp{}", protocol.number()));
    match &url.address {
        UrlAddress::Tcp { host, port } => {
            let scheme = if url.tls { "rediss" } else { "redis" };
            let server = host_port(host, *port);
            let database = url.database.map(|database| format!("/{database}")).unwrap_or_default();
            let protocol = protocol.map(|protocol| format!("?{protocol}")).unwrap_or_default();
            format!("{scheme}://{user_info}{server}{database}{protocol}{fragment}")
        }
        UrlAddress::Unix(path) => {
            let database = url.database.map(|database| format!("db={database}"));
            let options = database.into_iter().chain(protocol).collect::<Vec<_>>().join("&");
            let options = if options.is_empty() { options } else { format!("?{options}") };
            let path = encode(&path.to_string_lossy()).replace("%2F", "/");
            format!("unix://{user_info}{path}{options}{fragment}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn shown(text: &str) -> String {
        let url = RedisUrl::parse(text).unwrap();
        let password = url.password.as_ref().map_or("-", ExposeSecret::expose_secret);
        let RedisUrl { address, username, database, tls, insecure, .. } = &url;
        let protocol = url.protocol.map(|protocol| format!(" {protocol:?}")).unwrap_or_default();
        let flags = format!("tls={tls} insecure={insecure}");
        format!("{address:?} {username:?} {password} {database:?} {flags}{protocol}")
    }

    #[test]
    fn every_part_is_read() {
        for (text, expected) in [
            ("redis://h", r#"Tcp { host: "h", port: None } None - None tls=false insecure=false"#),
            ("redis://h/", r#"Tcp { host: "h", port: None } None - None tls=false insecure=false"#),
            (
                "valkey://h:1/2",
                r#"Tcp { host: "h", port: Some(1) } None - Some(2) tls=false insecure=false"#,
            ),
            (
                "rediss://u:p@h:1/2#insecure",
                r#"Tcp { host: "h", port: Some(1) } Some("u") p Some(2) tls=true insecure=true"#,
            ),
            (
                "valkeys://:p%40%2F%3a@h",
                r#"Tcp { host: "h", port: None } None p@/: None tls=true insecure=false"#,
            ),
            (
                "redis://:a@b@h",
                r#"Tcp { host: "h", port: None } None a@b None tls=false insecure=false"#,
            ),
            (
                "redis://:a:b@h",
                r#"Tcp { host: "h", port: None } None a:b None tls=false insecure=false"#,
            ),
            (
                "redis://[::1]:7/0",
                r#"Tcp { host: "::1", port: Some(7) } None - Some(0) tls=false insecure=false"#,
            ),
            (
                "redis://[2001:db8::1]",
                r#"Tcp { host: "2001:db8::1", port: None } None - None tls=false insecure=false"#,
            ),
            ("unix:///run/r.sock", r#"Unix("/run/r.sock") None - None tls=false insecure=false"#),
            (
                "unix:///r.sock?db=3&user=u&pass=p%26",
                r#"Unix("/r.sock") Some("u") p& Some(3) tls=false insecure=false"#,
            ),
            (
                "redis://h/?protocol=resp3",
                r#"Tcp { host: "h", port: None } None - None tls=false insecure=false Resp3"#,
            ),
            (
                "unix:///s?db=1&protocol=2",
                r#"Unix("/s") None - Some(1) tls=false insecure=false Resp2"#,
            ),
            (
                "redis+unix://u:p@/r%20s?db=1",
                r#"Unix("/r s") Some("u") p Some(1) tls=false insecure=false"#,
            ),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn errors_say_what_to_write_and_never_quote() {
        for (text, error) in [
            ("canary", "is not a URL"),
            ("http://canary", "starts with none of"),
            ("redis://", "has no host"),
            ("redis:///0", "has no host"),
            ("redis://:canary#x@h", "behind # only"),
            ("redis://:canary/x@h", "an @ stands behind"),
            ("redis://:canary?x@h", "an @ stands behind"),
            ("redis://h:canary", "has no port"),
            ("redis://h:0", "has no port"),
            ("redis://h:65536", "has no port"),
            ("redis://[::1]canary", "has no port"),
            ("redis://[canary]", "neither a name nor an address"),
            ("redis://h/canary", "a database that is not a number"),
            ("redis://h/-1", "a database that is not a number"),
            ("redis://h?canary=1", "takes no ?options"),
            ("redis://h?protocol=canary", "a protocol other than"),
            ("redis://:%ff@h", "is not UTF-8"),
            ("unix://", "needs the absolute path"),
            ("unix://run/redis.sock", "needs the absolute path"),
            ("unix:///s?canary=1", "an option other than"),
        ] {
            let found = RedisUrl::parse(text).unwrap_err();
            assert!(found.contains(error) && !found.contains("canary"), "{text}: {found}");
        }
    }

    #[test]
    fn printed_urls_read_back_without_the_password() {
        for (text, printed) in [
            ("redis://:canary@h:1/2", "redis://:***@h:1/2"),
            ("rediss://u%40:canary@[::1]/0#insecure", "rediss://u%40:***@[::1]/0#insecure"),
            ("unix://svc-1:canary@/a/b%20c?db=1", "unix://svc-1:***@/a/b%20c?db=1"),
            ("valkey://h", "redis://h"),
            ("redis://h/1?protocol=3#insecure", "redis://h/1?protocol=resp3#insecure"),
            ("unix:///s?protocol=resp2&db=1", "unix:///s?db=1&protocol=resp2"),
        ] {
            assert_eq!(print(&RedisUrl::parse(text).unwrap()), printed);
            assert!(RedisUrl::parse(printed).is_ok());
        }
    }
}
